/// A 64-bit hash that is the same in every process. Good against accidents, not against intent.
struct ContentHasher {
    private var state: UInt64 = 0x2545_F491_4F6C_DD1D

    /// Takes the bytes and their count.
    mutating func combine(_ bytes: some Collection<UInt8>) {
        combine(UInt64(bytes.count))
        let done: Void? = bytes.withContiguousStorageIfAvailable {
            absorb(UnsafeRawBufferPointer($0))
        }
        if done == nil { Array(bytes).withUnsafeBytes { absorb($0) } }
    }

    mutating func combine(_ value: UInt64) {
        state = Self.mixed(state ^ value)
    }

    func finish() -> UInt64 { Self.mixed(state) }

    private mutating func absorb(_ raw: UnsafeRawBufferPointer) {
        var index = 0
        while index &+ 8 <= raw.count {
            let word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            combine(UInt64(littleEndian: word))
            index &+= 8
        }
        var tail: UInt64 = 0
        while index < raw.count {
            tail = tail << 8 | UInt64(raw[index])
            index &+= 1
        }
        combine(tail)
    }

    /// The finaliser of SplitMix64.
    static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9E37_79B9_7F4A_7C15
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
