import WebSocket

/// A frame of a server, found in place in what was received (RFC 6455 § 5.2): never masked.
struct ServerFrame: Equatable {
    enum Reading: Equatable {
        case frame(ServerFrame)
        /// The bytes end before the frame does; it takes this many from its start, as far as is known.
        case incomplete(needed: Int)
        case broken(Problem)
    }

    enum Problem: String, Error {
        case masked = "a masked frame"
        case reserved = "a frame with a reserved bit or an unknown opcode"
        case tooLong = "a frame above the limit"
    }

    var opcode: Opcode
    var isFinal: Bool
    /// Where the payload begins, counted as `start` is.
    var payloadStart: Int
    var payloadCount: Int

    var end: Int { payloadStart + payloadCount }

    /// Reads the frame that begins at `start`; nothing is copied.
    @inline(__always)
    static func read(
        _ bytes: UnsafeRawBufferPointer, at start: Int, maxPayload: Int
    ) -> Reading {
        let available = bytes.count - start
        guard available >= 2 else { return .incomplete(needed: 2) }
        let first = bytes[start]
        let second = bytes[start + 1]
        guard second & 0x80 == 0 else { return .broken(.masked) }
        guard first & 0x70 == 0, let opcode = Opcode(rawValue: first & 0x0F) else {
            return .broken(.reserved)
        }
        var count = Int(second)
        var headerCount = 2
        if count == 126 {
            guard available >= 4 else { return .incomplete(needed: 4) }
            count = Int(bytes[start + 2]) << 8 | Int(bytes[start + 3])
            headerCount = 4
        } else if count == 127 {
            guard available >= 10 else { return .incomplete(needed: 10) }
            let raw = bytes.loadUnaligned(fromByteOffset: start + 2, as: UInt64.self)
            guard let long = Int(exactly: UInt64(bigEndian: raw)) else { return .broken(.tooLong) }
            count = long
            headerCount = 10
        }
        guard count <= maxPayload else { return .broken(.tooLong) }
        guard available >= headerCount + count else {
            return .incomplete(needed: headerCount + count)
        }
        return .frame(
            ServerFrame(
                opcode: opcode, isFinal: first & 0x80 != 0, payloadStart: start + headerCount,
                payloadCount: count))
    }
}
