/// Decodes what a client sends, frame by frame and across any split of the stream, into messages.
///
///     header ──▶ payload ──▶ header …          a data frame adds to the message in progress;
///        │          │                          a control frame between fragments stands alone
///        └──────────┴──▶ finished              after a close frame or an error
///
/// Strict on RFC 6455 §§ 5 to 8. Invariants: a message in memory is at most
/// `Limits.maxMessageBytes`; memory grows with the bytes that arrive, never with the length that
/// a header claims; the input is never changed. Work is linear in the input.
package struct FrameDecoder: Sendable {
    /// What the input so far amounts to.
    package enum Event: Sendable, Hashable {
        /// A whole text message; valid UTF-8.
        case text(ArraySlice<UInt8>)
        case binary(ArraySlice<UInt8>)
        case ping(ArraySlice<UInt8>)
        case pong(ArraySlice<UInt8>)
        /// The peer closes; nothing is decoded after it. `code` is nil for an empty frame.
        case close(code: UInt16?, reason: ArraySlice<UInt8>)
        /// A message above `maxMessageBytes` has gone by; `prefix` is how it began.
        case tooLarge(isText: Bool, byteCount: Int, prefix: ArraySlice<UInt8>)
    }

    private struct Message {
        var opcode: Opcode
        var bytes: [UInt8] = []
        /// Payload bytes claimed by the headers so far.
        var claimedBytes = 0
        var isSkipped = false
        var utf8 = UTF8Validator()
    }

    private struct Frame {
        var opcode: Opcode
        var isFinal: Bool
        var remaining: Int
        var mask: Mask
    }

    private let limits: Limits
    private var headerBytes: [UInt8] = []
    private var frame: Frame?
    private var message: Message?
    private var control: [UInt8] = []
    /// True after a close frame or an error: all further input is dropped.
    package private(set) var isFinished = false

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// True while a message or a frame has begun and not ended.
    package var isMidMessage: Bool {
        message != nil || frame != nil || !headerBytes.isEmpty
    }

    /// Decodes up to the next event.
    ///
    /// - Parameters:
    ///   - input: bytes of the stream; those before `position` were consumed by earlier calls.
    ///   - position: moved behind what this call consumed.
    /// - Returns: nil once the whole input is consumed.
    package mutating func next(
        in input: UnsafeRawBufferPointer, at position: inout Int
    ) throws(WebSocketError) -> Event? {
        while !isFinished {
            if frame == nil {
                do {
                    guard try readHeader(in: input, at: &position) else { return nil }
                } catch {
                    isFinished = true
                    throw error
                }
            }
            do {
                if let event = try readPayload(in: input, at: &position) { return event }
            } catch {
                isFinished = true
                throw error
            }
            if frame != nil { return nil }
        }
        position = input.count
        return nil
    }

    // MARK: Header

    /// False where the input ends before the header does.
    private mutating func readHeader(
        in input: UnsafeRawBufferPointer, at position: inout Int
    ) throws(WebSocketError) -> Bool {
        if headerBytes.isEmpty {
            let rest = UnsafeRawBufferPointer(rebasing: input[position...])
            if let size = Self.headerSize(rest), rest.count >= size {
                position += size
                try begin(UnsafeRawBufferPointer(rebasing: rest[..<size]))
                return true
            }
        }
        while position < input.count {
            headerBytes.append(input[position])
            position += 1
            let size = headerBytes.withUnsafeBytes { Self.headerSize($0) }
            if size == headerBytes.count {
                let whole = headerBytes
                headerBytes.removeAll(keepingCapacity: true)
                try whole.withUnsafeBufferPointer { (bytes) throws(WebSocketError) in
                    try begin(UnsafeRawBufferPointer(bytes))
                }
                return true
            }
        }
        return false
    }

    /// The size that the first two bytes give the header, a mask included.
    private static func headerSize(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 2 else { return nil }
        let maskSize = bytes[1] & 0x80 == 0 ? 0 : 4
        switch bytes[1] & 0x7F {
        case 126: return 4 + maskSize
        case 127: return 10 + maskSize
        default: return 2 + maskSize
        }
    }

    private mutating func begin(_ header: UnsafeRawBufferPointer) throws(WebSocketError) {
        guard header[0] & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = Opcode(rawValue: header[0] & 0x0F) else { throw .unknownOpcode }
        guard header[1] & 0x80 != 0 else { throw .unmaskedFrame }
        let isFinal = header[0] & 0x80 != 0
        let count = try Self.payloadCount(header)
        let key = header.loadUnaligned(fromByteOffset: header.count - 4, as: UInt32.self)
        if opcode.isControl {
            guard isFinal, count <= 125 else { throw .invalidControlFrame }
        } else {
            try extendMessage(opcode, by: count)
        }
        frame = Frame(
            opcode: opcode, isFinal: isFinal, remaining: count,
            mask: Mask(key: UInt32(littleEndian: key)))
    }

    private static func payloadCount(
        _ header: UnsafeRawBufferPointer
    ) throws(WebSocketError) -> Int {
        let short = Int(header[1] & 0x7F)
        switch short {
        case 126:
            let count = Int(header[2]) << 8 | Int(header[3])
            guard count >= 126 else { throw .invalidLength }
            return count
        case 127:
            let raw = header.loadUnaligned(fromByteOffset: 2, as: UInt64.self)
            let count = UInt64(bigEndian: raw)
            guard count > 0xFFFF, count <= UInt64(Int.max) else { throw .invalidLength }
            return Int(count)
        default:
            return short
        }
    }

    private mutating func extendMessage(
        _ opcode: Opcode, by count: Int
    ) throws(WebSocketError) {
        var current: Message
        switch (opcode, message) {
        case (.continuation, let begun?): current = begun
        case (.continuation, nil), (_, .some): throw .invalidFragment
        case (_, nil): current = Message(opcode: opcode)
        }
        message = nil
        let (total, overflow) = current.claimedBytes.addingReportingOverflow(count)
        guard !overflow, total <= max(limits.maxSkippedMessageBytes, limits.maxMessageBytes)
        else { throw .messageTooBig }
        current.claimedBytes = total
        if total > limits.maxMessageBytes, !current.isSkipped {
            current.isSkipped = true
            current.bytes = Array(current.bytes.prefix(limits.skippedPrefixBytes))
        }
        message = current
    }

    // MARK: Payload

    private mutating func readPayload(
        in input: UnsafeRawBufferPointer, at position: inout Int
    ) throws(WebSocketError) -> Event? {
        guard var current = frame else { return nil }
        let count = min(current.remaining, input.count - position)
        let chunk = UnsafeRawBufferPointer(rebasing: input[position..<position + count])
        position += count
        current.remaining -= count
        if current.opcode.isControl {
            Self.append(chunk, to: &control, &current.mask)
        } else {
            try append(chunk, &current.mask)
        }
        guard current.remaining == 0 else {
            frame = current
            return nil
        }
        frame = nil
        return current.opcode.isControl
            ? try endControl(current.opcode) : try endData(isFinal: current.isFinal)
    }

    private mutating func append(
        _ chunk: UnsafeRawBufferPointer, _ mask: inout Mask
    ) throws(WebSocketError) {
        guard var current = message, !chunk.isEmpty else { return }
        message = nil
        defer { message = current }
        if current.isSkipped {
            let kept = min(chunk.count, limits.skippedPrefixBytes - current.bytes.count)
            if kept > 0 {
                Self.append(.init(rebasing: chunk[..<kept]), to: &current.bytes, &mask)
            }
            mask.advance(by: chunk.count - max(0, kept))
            return
        }
        let start = current.bytes.count
        Self.append(chunk, to: &current.bytes, &mask)
        if current.opcode == .text {
            var utf8 = current.utf8
            let isValid = current.bytes.withUnsafeBytes {
                utf8.validate(.init(rebasing: $0[start...]))
            }
            guard isValid else { throw .invalidUTF8 }
            current.utf8 = utf8
        }
    }

    private static func append(
        _ chunk: UnsafeRawBufferPointer, to bytes: inout [UInt8], _ mask: inout Mask
    ) {
        if chunk.isEmpty { return }
        let start = bytes.count
        bytes.append(contentsOf: chunk)
        bytes.withUnsafeMutableBytes { mask.apply(to: .init(rebasing: $0[start...])) }
    }

    private mutating func endData(isFinal: Bool) throws(WebSocketError) -> Event? {
        guard isFinal, let whole = message else { return nil }
        message = nil
        let isText = whole.opcode == .text
        if whole.isSkipped {
            return .tooLarge(
                isText: isText, byteCount: whole.claimedBytes, prefix: whole.bytes[...])
        }
        guard isText else { return .binary(whole.bytes[...]) }
        guard whole.utf8.isComplete else { throw .invalidUTF8 }
        return .text(whole.bytes[...])
    }

    private mutating func endControl(_ opcode: Opcode) throws(WebSocketError) -> Event? {
        let payload = control
        control = []
        switch opcode {
        case .ping: return .ping(payload[...])
        case .pong: return .pong(payload[...])
        default:
            isFinished = true
            return try Self.close(payload)
        }
    }

    private static func close(_ payload: [UInt8]) throws(WebSocketError) -> Event {
        if payload.isEmpty { return .close(code: nil, reason: []) }
        guard payload.count >= 2 else { throw .invalidCloseFrame }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        guard CloseCode.mayBeReceived(code) else { throw .invalidCloseFrame }
        var utf8 = UTF8Validator()
        let isValid = payload.withUnsafeBytes { utf8.validate(.init(rebasing: $0[2...])) }
        guard isValid, utf8.isComplete else { throw .invalidUTF8 }
        return .close(code: code, reason: payload[2...])
    }
}
