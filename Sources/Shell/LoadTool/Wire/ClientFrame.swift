import WebSocket

/// Frames as a client sends them: masked (RFC 6455 § 5.3).
enum ClientFrame {
    /// Bytes that the longest header takes.
    static let maxHeaderBytes = FrameHeader.maxEncodedSize + 4

    /// Writes header, mask and masked payload and returns their size.
    ///
    /// - Parameter output: at least `maxHeaderBytes` longer than the payload.
    static func encode(
        _ opcode: Opcode, _ payload: UnsafeRawBufferPointer, mask: UInt32,
        into output: UnsafeMutableRawBufferPointer
    ) -> Int {
        var count = FrameHeader(opcode, payloadCount: payload.count).encode(into: output)
        output[1] |= 0x80
        output.storeBytes(of: mask, toByteOffset: count, as: UInt32.self)
        count += 4
        let word = UInt64(mask) | UInt64(mask) << 32
        let wordEnd = payload.count & ~7
        var index = 0
        while index < wordEnd {
            let plain = payload.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            output.storeBytes(of: plain ^ word, toByteOffset: count + index, as: UInt64.self)
            index += 8
        }
        while index < payload.count {
            output[count + index] =
                payload[index] ^ UInt8(truncatingIfNeeded: word >> UInt64((index & 7) * 8))
            index += 1
        }
        return count + payload.count
    }
}

/// A fast source of numbers that need not be secret (xorshift64*), the same for the same seed.
struct SeededNumbers: Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_F491_4F6C_DD1D
    }
}
