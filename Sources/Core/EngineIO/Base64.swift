/// Base64 with the standard alphabet (RFC 4648 § 4).
package enum Base64 {
    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let padding = UInt8(ascii: "=")

    /// The six bits of each character; 0xFF for what is not in the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(value)
        }
        return values
    }()

    package static func encodedSize(of count: Int) -> Int {
        (count + 2) / 3 * 4
    }

    package static func encode(_ bytes: ArraySlice<UInt8>, into text: inout [UInt8]) {
        text.reserveCapacity(text.count + encodedSize(of: bytes.count))
        var index = bytes.startIndex
        while bytes.endIndex - index >= 3 {
            let group =
                UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8
                | UInt32(bytes[index + 2])
            for shift: UInt32 in [18, 12, 6, 0] {
                text.append(alphabet[Int(group >> shift & 0x3F)])
            }
            index += 3
        }
        let rest = bytes[index...]
        guard let first = rest.first else { return }
        let second = rest.count == 2 ? bytes[index + 1] : 0
        let group = UInt32(first) << 16 | UInt32(second) << 8
        text.append(alphabet[Int(group >> 18 & 0x3F)])
        text.append(alphabet[Int(group >> 12 & 0x3F)])
        text.append(rest.count == 2 ? alphabet[Int(group >> 6 & 0x3F)] : padding)
        text.append(padding)
    }

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        encode(bytes[...], into: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Nil for a character outside the alphabet or a length that no encoder gives. Padding may be
    /// left out, as some encoders do.
    package static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var characters = text
        for _ in 0..<2 where characters.last == padding { characters.removeLast() }
        guard characters.count % 4 != 1 else { return nil }
        if characters.count != text.count, text.count % 4 != 0 { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count / 4 * 3 + 2)
        var group: UInt32 = 0
        var bitCount: UInt32 = 0
        for character in characters {
            let value = values[Int(character)]
            guard value != 0xFF else { return nil }
            group = group << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> bitCount))
                group &= 1 << bitCount - 1
            }
        }
        return bytes
    }
}
