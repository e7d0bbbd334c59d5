/// CRC-32 as in zlib, PNG and nginx's `ngx_crc32_long`: polynomial 0xEDB88320, bits reflected,
/// starting and ending inverted.
package struct CRC32: Sendable, Hashable {
    private var state: UInt32 = 0xFFFF_FFFF

    package init() {}

    package mutating func update(_ byte: UInt8) {
        let index = Int(truncatingIfNeeded: UInt8(truncatingIfNeeded: state) ^ byte)
        state = Self.table[index] ^ (state >> 8)
    }

    package mutating func update(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { update(byte) }
    }

    /// The checksum of all bytes so far; more may follow.
    package var value: UInt32 { ~state }

    package static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32()
        crc.update(bytes)
        return crc.value
    }

    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
        }
    }
}
