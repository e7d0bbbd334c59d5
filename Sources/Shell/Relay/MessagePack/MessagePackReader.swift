/// Takes a MessagePack message apart, token by token and strictly.
///
/// Read are the forms of the MessagePack specification and of the extension types those that the
/// Node libraries write: notepack's undefined (type 0, one byte), date (type 0, eight bytes of
/// milliseconds) and ArrayBuffer (type 0, any other length by an explicit length), and the
/// timestamps of the specification (type -1). Any other extension is an error.
///
/// Cost is bound by the bytes that are there: a length that says more is an error at once.
///
/// Source: MessagePack specification (msgpack/msgpack, spec.md); notepack.io 3.
package struct MessagePackReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var valuesLeft: Int
    package let limits: MessagePackLimits

    package init(
        _ bytes: ArraySlice<UInt8>, limits: MessagePackLimits = MessagePackLimits()
    ) throws(MessagePackError) {
        guard bytes.count <= limits.maxBytes else { throw MessagePackError(.size) }
        self.bytes = bytes
        self.limits = limits
        index = bytes.startIndex
        valuesLeft = limits.maxValues
    }

    /// Bytes read so far.
    package var offset: Int { index - bytes.startIndex }
    package var isAtEnd: Bool { index == bytes.endIndex }

    /// Fails unless everything has been read.
    package func end() throws(MessagePackError) {
        guard isAtEnd else { throw error(.trailing) }
    }

    package func error(_ reason: MessagePackError.Reason) -> MessagePackError {
        MessagePackError(reason, at: offset)
    }

    // MARK: Tokens

    package mutating func next() throws(MessagePackError) -> MessagePackToken {
        guard valuesLeft > 0 else { throw error(.tooManyValues) }
        valuesLeft -= 1
        let head = try byte()
        switch head {
        case 0x00...0x7F: return .int(Int64(head))
        case 0x80...0x8F: return try map(Int(head & 0x0F))
        case 0x90...0x9F: return try array(Int(head & 0x0F))
        case 0xA0...0xBF: return .string(try take(Int(head & 0x1F)))
        case 0xC0: return .null
        case 0xC1: throw error(.unusedByte)
        case 0xC2: return .bool(false)
        case 0xC3: return .bool(true)
        case 0xC4: return .binary(try take(try length(1)))
        case 0xC5: return .binary(try take(try length(2)))
        case 0xC6: return .binary(try take(try length(4)))
        case 0xC7: return try variableExtension(try length(1))
        case 0xC8: return try variableExtension(try length(2))
        case 0xC9: return try variableExtension(try length(4))
        case 0xCA: return .double(Double(Float(bitPattern: UInt32(try integer(4)))))
        case 0xCB: return .double(Double(bitPattern: try integer(8)))
        case 0xCC: return .int(Int64(try integer(1)))
        case 0xCD: return .int(Int64(try integer(2)))
        case 0xCE: return .int(Int64(try integer(4)))
        case 0xCF:
            let value = try integer(8)
            return Int64(exactly: value).map { .int($0) } ?? .uint(value)
        case 0xD0: return .int(Int64(Int8(truncatingIfNeeded: try integer(1))))
        case 0xD1: return .int(Int64(Int16(truncatingIfNeeded: try integer(2))))
        case 0xD2: return .int(Int64(Int32(truncatingIfNeeded: try integer(4))))
        case 0xD3: return .int(Int64(bitPattern: try integer(8)))
        case 0xD4: return try undefined()
        case 0xD5: return try fixedExtension(2)
        case 0xD6: return try fixedExtension(4)
        case 0xD7: return try fixedExtension(8)
        case 0xD8: return try fixedExtension(16)
        case 0xD9: return .string(try take(try length(1)))
        case 0xDA: return .string(try take(try length(2)))
        case 0xDB: return .string(try take(try length(4)))
        case 0xDC: return try array(lengthBytes: 2)
        case 0xDD: return try array(lengthBytes: 4)
        case 0xDE: return try map(lengthBytes: 2)
        case 0xDF: return try map(lengthBytes: 4)
        default: return .int(Int64(Int8(bitPattern: head)))
        }
    }

    /// Steps over one whole value and returns its bytes.
    package mutating func skip() throws(MessagePackError) -> ArraySlice<UInt8> {
        let start = index
        var expected = 1
        while expected > 0 {
            expected -= 1
            switch try next() {
            // No overflow: what a head announces is not more than the bytes left.
            case .array(let count): expected += count
            case .map(let count): expected += 2 * count
            default: break
            }
        }
        return bytes[start..<index]
    }

    package mutating func string() throws(MessagePackError) -> String {
        guard case .string(let text) = try next() else { throw error(.shape) }
        return try Self.text(text, at: offset)
    }

    /// The key of a map.
    package mutating func key() throws(MessagePackError) -> String {
        guard case .string(let text) = try next() else { throw error(.key) }
        return try Self.text(text, at: offset)
    }

    static func text(
        _ bytes: ArraySlice<UInt8>, at offset: Int
    ) throws(MessagePackError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw MessagePackError(.utf8, at: offset)
        }
        return text
    }
}

// MARK: - Parts of a token

extension MessagePackReader {
    private mutating func byte() throws(MessagePackError) -> UInt8 {
        guard index < bytes.endIndex else { throw error(.truncated) }
        defer { index += 1 }
        return bytes[index]
    }

    private mutating func take(_ count: Int) throws(MessagePackError) -> ArraySlice<UInt8> {
        guard count <= bytes.endIndex - index else { throw error(.truncated) }
        defer { index += count }
        return bytes[index..<index + count]
    }

    /// A big-endian number of up to eight bytes.
    private mutating func integer(_ size: Int) throws(MessagePackError) -> UInt64 {
        try take(size).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A length of up to four bytes.
    private mutating func length(_ size: Int) throws(MessagePackError) -> Int {
        Int(try integer(size))
    }

    private mutating func array(lengthBytes: Int) throws(MessagePackError) -> MessagePackToken {
        let count = try length(lengthBytes)
        return try array(count)
    }

    private mutating func map(lengthBytes: Int) throws(MessagePackError) -> MessagePackToken {
        let count = try length(lengthBytes)
        return try map(count)
    }

    private func array(_ count: Int) throws(MessagePackError) -> MessagePackToken {
        guard count <= bytes.endIndex - index else { throw error(.truncated) }
        return .array(count)
    }

    private func map(_ count: Int) throws(MessagePackError) -> MessagePackToken {
        guard count <= (bytes.endIndex - index) / 2 else { throw error(.truncated) }
        return .map(count)
    }

    private mutating func undefined() throws(MessagePackError) -> MessagePackToken {
        let type = try byte()
        _ = try byte()
        guard type == 0 else { throw error(.extension) }
        return .undefined
    }

    private mutating func fixedExtension(_ size: Int) throws(MessagePackError) -> MessagePackToken {
        let type = Int8(bitPattern: try byte())
        let body = try take(size)
        if type == 0, size == 8 { return .date(Double(Int64(bitPattern: Self.number(body)))) }
        return try timestamp(type, body)
    }

    private mutating func variableExtension(
        _ size: Int
    ) throws(MessagePackError) -> MessagePackToken {
        let type = Int8(bitPattern: try byte())
        let body = try take(size)
        return type == 0 ? .binary(body) : try timestamp(type, body)
    }

    /// Timestamps of 32, 64 and 96 bits, to the millisecond.
    private func timestamp(
        _ type: Int8, _ body: ArraySlice<UInt8>
    ) throws(MessagePackError) -> MessagePackToken {
        guard type == -1 else { throw error(.extension) }
        let seconds: Double
        let nanoseconds: UInt64
        switch body.count {
        case 4:
            seconds = Double(Self.number(body))
            nanoseconds = 0
        case 8:
            let packed = Self.number(body)
            seconds = Double(packed & (1 << 34 - 1))
            nanoseconds = packed >> 34
        case 12:
            seconds = Double(Int64(bitPattern: Self.number(body.dropFirst(4))))
            nanoseconds = Self.number(body.prefix(4))
        default: throw error(.extension)
        }
        return .date(seconds * 1_000 + Double(nanoseconds / 1_000_000))
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
