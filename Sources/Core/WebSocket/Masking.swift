/// The XOR mask of a client's frame (RFC 6455 § 5.3).
struct Mask: Sendable, Hashable {
    /// The four key bytes, in the order of memory, turned so that the next byte meets the first.
    private var key: UInt32

    /// - Parameter key: loaded from the frame as it lies in memory.
    init(key: UInt32) {
        self.key = key
    }

    /// Unmasks the bytes where they are, and remembers how far into the key it came.
    mutating func apply(to bytes: UnsafeMutableRawBufferPointer) {
        if key == 0 { return }
        let word = UInt64(key) | UInt64(key) << 32
        let wordEnd = bytes.count & ~7
        var index = 0
        while index < wordEnd {
            let masked = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            bytes.storeBytes(of: masked ^ word, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < bytes.count {
            bytes[index] ^= UInt8(truncatingIfNeeded: word >> UInt64((index & 7) * 8))
            index += 1
        }
        advance(by: bytes.count)
    }

    /// Goes on in the key as if `count` bytes had been unmasked.
    mutating func advance(by count: Int) {
        let shift = UInt32((count & 3) * 8)
        if shift != 0 { key = key >> shift | key << (32 - shift) }
    }
}
