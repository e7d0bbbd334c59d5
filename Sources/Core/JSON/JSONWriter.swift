/// Spells scalars as JSON.
enum JSONWriter {
    static func write(_ value: Double, into output: inout [UInt8]) {
        guard value.isFinite else {
            output.append(contentsOf: "null".utf8)
            return
        }
        let text = value.description
        output.append(contentsOf: text.hasSuffix(".0") ? text.utf8.dropLast(2) : text.utf8[...])
    }

    /// A string with quotes. Escaped are quotes, backslashes, controls, and U+2028 and U+2029,
    /// which end a line in old JavaScript.
    static func write(_ value: String, into output: inout [UInt8]) {
        output.append(.quote)
        var value = value
        value.withUTF8 { writeEscaped($0, into: &output) }
        output.append(.quote)
    }

    private static func writeEscaped(
        _ bytes: UnsafeBufferPointer<UInt8>, into output: inout [UInt8]
    ) {
        let scanner = JSONScanner(bytes: bytes)
        var written = 0
        var index = 0
        while true {
            index = scanner.afterPlainText(index)
            guard index < bytes.count else { break }
            let length = escapedLength(bytes, at: index)
            if length > 0 {
                output.append(contentsOf: bytes[written..<index])
                writeEscape(bytes, at: index, into: &output)
                written = index + length
            }
            index += max(length, 1)
        }
        output.append(contentsOf: bytes[written...])
    }

    /// Bytes of the character at `index` if it must be escaped, 0 if not.
    private static func escapedLength(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        if bytes[index] < 0x80 { return 1 }
        let isLineEnd =
            bytes[index] == 0xE2 && index + 2 < bytes.count && bytes[index + 1] == 0x80
            && bytes[index + 2] & 0xFE == 0xA8
        return isLineEnd ? 3 : 0
    }

    private static func writeEscape(
        _ bytes: UnsafeBufferPointer<UInt8>, at index: Int, into output: inout [UInt8]
    ) {
        switch bytes[index] {
        case .quote: output.append(contentsOf: #"\""#.utf8)
        case .backslash: output.append(contentsOf: #"\\"#.utf8)
        case 0x08: output.append(contentsOf: #"\b"#.utf8)
        case 0x09: output.append(contentsOf: #"\t"#.utf8)
        case 0x0A: output.append(contentsOf: #"\n"#.utf8)
        case 0x0C: output.append(contentsOf: #"\f"#.utf8)
        case 0x0D: output.append(contentsOf: #"\r"#.utf8)
        case 0xE2: output.append(contentsOf: "\\u202\(bytes[index + 2] & 1 == 0 ? 8 : 9)".utf8)
        case let control:
            let digits = Array("0123456789abcdef".utf8)
            output.append(contentsOf: #"\u00"#.utf8)
            output.append(digits[Int(control >> 4)])
            output.append(digits[Int(control & 15)])
        }
    }
}
