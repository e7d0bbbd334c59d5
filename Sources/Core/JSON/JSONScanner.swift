/// Moves over JSON bytes in place. Positions count from the first byte of the buffer.
///
/// The `skip…` functions trust that the text is valid, yet never read past its end whatever it is.
struct JSONScanner {
    let bytes: UnsafeBufferPointer<UInt8>

    @inline(__always) var count: Int { bytes.count }

    @inline(__always) subscript(_ index: Int) -> UInt8 { bytes[index] }

    /// The first position from `index` on that is not whitespace, or `count`.
    @inline(__always) func afterWhitespace(_ index: Int) -> Int {
        var index = index
        while index < count {
            let byte = bytes[index]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
            index += 1
        }
        return index
    }

    /// The first position from `index` on whose byte is a quote, a backslash, a control character
    /// or not ASCII; eight bytes a step.
    @inline(__always) func afterPlainText(_ index: Int) -> Int {
        var index = index
        let raw = UnsafeRawBufferPointer(bytes)
        while index &+ 8 <= count {
            let word = UInt64(
                littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            let special = Self.specialBytes(in: word)
            if special != 0 { return index &+ special.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < count {
            let byte = bytes[index]
            guard byte >= 0x20, byte < 0x80, byte != .quote, byte != .backslash else { break }
            index += 1
        }
        return index
    }

    /// The high bit of each byte that ends plain text; bytes above the first one may be marked
    /// wrongly (borrow of the subtraction), the first never is.
    @inline(__always) private static func specialBytes(in word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let high: UInt64 = 0x8080_8080_8080_8080
        let quotes = word ^ (ones &* UInt64(UInt8.quote))
        let backslashes = word ^ (ones &* UInt64(UInt8.backslash))
        return (word | (word &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones)) & high
    }

    /// The position after the string whose opening quote is at `index`.
    func skipString(_ index: Int) -> Int {
        var index = index + 1
        while true {
            index = afterPlainText(index)
            guard index < count else { return count }
            switch bytes[index] {
            case .quote: return index + 1
            case .backslash: index = min(index + 2, count)
            default: index += 1
            }
        }
    }

    /// The position after the value that begins at `index`.
    func skipValue(_ index: Int) -> Int {
        guard index < count else { return count }
        switch bytes[index] {
        case .quote: return skipString(index)
        case .openBrace, .openBracket: return skipContainer(index)
        default:
            var index = index + 1
            while index < count, !Self.endsScalar(bytes[index]) { index += 1 }
            return index
        }
    }

    private func skipContainer(_ index: Int) -> Int {
        var index = index
        var depth = 0
        while index < count {
            switch bytes[index] {
            case .quote:
                index = skipString(index)
                continue
            case .openBrace, .openBracket: depth += 1
            case .closeBrace, .closeBracket:
                depth -= 1
                if depth == 0 { return index + 1 }
            default: break
            }
            index += 1
        }
        return count
    }

    @inline(__always) private static func endsScalar(_ byte: UInt8) -> Bool {
        switch byte {
        case .comma, .closeBrace, .closeBracket, .colon, 0x20, 0x0A, 0x0D, 0x09: true
        default: false
        }
    }
}

extension UInt8 {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let comma = UInt8(ascii: ",")
    static let colon = UInt8(ascii: ":")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
    static let minus = UInt8(ascii: "-")

    @inline(__always) var isDigit: Bool { self &- 0x30 < 10 }

    /// The value of a hexadecimal digit, or nil.
    @inline(__always) var hexValue: UInt32? {
        switch self {
        case 0x30...0x39: UInt32(self) - 0x30
        case 0x41...0x46: UInt32(self) - 0x41 + 10
        case 0x61...0x66: UInt32(self) - 0x61 + 10
        default: nil
        }
    }
}
