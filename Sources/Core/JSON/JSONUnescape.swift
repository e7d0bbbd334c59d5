/// Turns what stands between the quotes of a JSON string into text.
enum JSONUnescape {
    static func string(_ raw: ArraySlice<UInt8>) -> String {
        guard raw.contains(.backslash) else { return String(decoding: raw, as: UTF8.self) }
        return String(decoding: bytes(raw), as: UTF8.self)
    }

    /// The UTF-8 bytes; surrogate escapes without a partner become U+FFFD.
    static func bytes(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(raw.count)
        var rest = raw
        while let backslash = rest.firstIndex(of: .backslash) {
            output.append(contentsOf: rest[rest.startIndex..<backslash])
            rest = rest[(backslash + 1)...]
            guard let kind = rest.popFirst() else { break }
            if kind == UInt8(ascii: "u") {
                output.append(contentsOf: String(Character(scalar(&rest))).utf8)
            } else {
                output.append(simple(kind))
            }
        }
        output.append(contentsOf: rest)
        return output
    }

    private static func simple(_ kind: UInt8) -> UInt8 {
        switch kind {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: kind
        }
    }

    /// Reads the digits after `\u`, and a second escape if the two are a surrogate pair.
    private static func scalar(_ rest: inout ArraySlice<UInt8>) -> Unicode.Scalar {
        let unit = codeUnit(rest)
        rest = rest.dropFirst(4)
        if let scalar = Unicode.Scalar(unit) { return scalar }
        guard unit < 0xDC00, rest.starts(with: [.backslash, UInt8(ascii: "u")]) else {
            return "\u{FFFD}"
        }
        let low = codeUnit(rest.dropFirst(2))
        guard 0xDC00...0xDFFF ~= low else { return "\u{FFFD}" }
        rest = rest.dropFirst(6)
        return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
    }

    private static func codeUnit(_ digits: ArraySlice<UInt8>) -> UInt32 {
        digits.prefix(4).reduce(0) { $0 << 4 | ($1.hexValue ?? 0) }
    }
}
