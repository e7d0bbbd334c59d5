/// Checks UTF-8 that arrives in pieces, a character possibly in two of them (RFC 3629).
package struct UTF8Validator: Sendable, Hashable {
    /// Continuation bytes that the character begun still lacks.
    private var missing: UInt8 = 0
    /// Bounds of the next continuation byte: they shut out overlong forms, surrogates and
    /// values above U+10FFFF.
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    package init() {}

    /// Whether no character is left half.
    package var isComplete: Bool { missing == 0 }

    /// False as soon as the bytes so far begin no valid text; the validator is then spent.
    package mutating func validate(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        let end = bytes.count
        while index < end {
            if missing == 0 {
                index = Self.skipASCII(bytes, from: index)
                if index == end { break }
            }
            if !step(bytes[index]) { return false }
            index += 1
        }
        return true
    }

    private mutating func step(_ byte: UInt8) -> Bool {
        if missing > 0 {
            guard byte >= low, byte <= high else { return false }
            missing -= 1
            (low, high) = (0x80, 0xBF)
            return true
        }
        switch byte {
        case 0x00...0x7F: return true
        case 0xC2...0xDF: missing = 1
        case 0xE0: (missing, low) = (2, 0xA0)
        case 0xED: (missing, high) = (2, 0x9F)
        case 0xE1...0xEF: missing = 2
        case 0xF0: (missing, low) = (3, 0x90)
        case 0xF1...0xF3: missing = 3
        case 0xF4: (missing, high) = (3, 0x8F)
        default: return false
        }
        return true
    }

    /// The first index at or after `start` whose byte is not ASCII, or the end.
    private static func skipASCII(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var index = start
        let end = bytes.count
        while end - index >= 8 {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            if word & 0x8080_8080_8080_8080 != 0 { break }
            index += 8
        }
        while index < end, bytes[index] < 0x80 { index += 1 }
        return index
    }
}
