/// The header of a frame that a server sends: never masked (RFC 6455 § 5.1).
package struct FrameHeader: Sendable, Hashable {
    /// Bytes of the longest header without a mask.
    package static let maxEncodedSize = 10

    package var opcode: Opcode
    package var isFinal: Bool
    package var payloadCount: Int

    /// - Parameter payloadCount: not negative.
    package init(_ opcode: Opcode, isFinal: Bool = true, payloadCount: Int) {
        self.opcode = opcode
        self.isFinal = isFinal
        self.payloadCount = payloadCount
    }

    package var encodedSize: Int {
        payloadCount < 126 ? 2 : payloadCount <= 0xFFFF ? 4 : 10
    }

    /// Writes the header and returns its size.
    ///
    /// - Parameter buffer: at least `encodedSize` bytes.
    package func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        buffer[0] = opcode.rawValue | (isFinal ? 0x80 : 0)
        if payloadCount < 126 {
            buffer[1] = UInt8(payloadCount)
            return 2
        }
        let lengthSize = payloadCount <= 0xFFFF ? 2 : 8
        buffer[1] = lengthSize == 2 ? 126 : 127
        for index in 0..<lengthSize {
            let shift = (lengthSize - 1 - index) * 8
            buffer[2 + index] = UInt8(truncatingIfNeeded: payloadCount >> shift)
        }
        return 2 + lengthSize
    }

    package var encoded: [UInt8] {
        Array(unsafeUninitializedCapacity: Self.maxEncodedSize) { buffer, count in
            count = encode(into: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
