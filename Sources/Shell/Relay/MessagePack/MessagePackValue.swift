/// A whole MessagePack value in memory, for messages that are read field by field.
package indirect enum MessagePackValue: Hashable, Sendable {
    case null
    /// JavaScript's `undefined`.
    case undefined
    case bool(Bool)
    case int(Int64)
    /// Above the range of `Int64`.
    case uint(UInt64)
    case double(Double)
    case string(String)
    case binary([UInt8])
    /// Milliseconds since 1970. Written as notepack writes it.
    case date(Double)
    case array([MessagePackValue])
    /// Pairs in the order of the message.
    case map([Pair])

    package struct Pair: Hashable, Sendable {
        package let key: String
        package let value: MessagePackValue

        package init(_ key: String, _ value: MessagePackValue) {
            self.key = key
            self.value = value
        }
    }
}

// MARK: - Reading

extension MessagePackValue {
    /// Reads exactly one value.
    package init(
        decoding bytes: ArraySlice<UInt8>, limits: MessagePackLimits = MessagePackLimits()
    ) throws(MessagePackError) {
        var reader = try MessagePackReader(bytes, limits: limits)
        try self.init(from: &reader)
        try reader.end()
    }

    /// Reads one value where the reader stands.
    package init(from reader: inout MessagePackReader) throws(MessagePackError) {
        self = try Self.read(&reader, depth: 0)
    }

    private static func read(
        _ reader: inout MessagePackReader, depth: Int
    ) throws(MessagePackError) -> MessagePackValue {
        switch try reader.next() {
        case .null: return .null
        case .undefined: return .undefined
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .uint(let value): return .uint(value)
        case .double(let value): return .double(value)
        case .date(let value): return .date(value)
        case .string(let text):
            return .string(try MessagePackReader.text(text, at: reader.offset))
        case .binary(let bytes): return .binary(Array(bytes))
        case .array(let count):
            guard depth < reader.limits.maxDepth else { throw reader.error(.depth) }
            var elements: [MessagePackValue] = []
            for _ in 0..<count { elements.append(try read(&reader, depth: depth + 1)) }
            return .array(elements)
        case .map(let count):
            guard depth < reader.limits.maxDepth else { throw reader.error(.depth) }
            var pairs: [Pair] = []
            for _ in 0..<count {
                let key = try reader.key()
                pairs.append(Pair(key, try read(&reader, depth: depth + 1)))
            }
            return .map(pairs)
        }
    }
}

// MARK: - Writing

extension MessagePackValue {
    package var encoded: [UInt8] {
        var writer = MessagePackWriter()
        write(to: &writer)
        return writer.bytes
    }

    package func write(to writer: inout MessagePackWriter) {
        switch self {
        case .null: writer.null()
        case .undefined: writer.undefined()
        case .bool(let value): writer.bool(value)
        case .int(let value): writer.int(value)
        case .uint(let value): writer.uint(value)
        case .double(let value): writer.double(value)
        case .string(let value): writer.string(value)
        case .binary(let value): writer.binary(value)
        case .date(let value): writer.date(value)
        case .array(let elements):
            writer.array(elements.count)
            for element in elements { element.write(to: &writer) }
        case .map(let pairs):
            writer.map(pairs.count)
            for pair in pairs {
                writer.string(pair.key)
                pair.value.write(to: &writer)
            }
        }
    }
}

// MARK: - Fields

extension MessagePackValue {
    /// The member of a map; the last of equal keys wins, as in JavaScript.
    package subscript(_ key: String) -> MessagePackValue? {
        guard case .map(let pairs) = self else { return nil }
        return pairs.last { $0.key == key }?.value
    }

    package var string: String? { if case .string(let value) = self { value } else { nil } }
    package var int: Int64? { if case .int(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    package var array: [MessagePackValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}
