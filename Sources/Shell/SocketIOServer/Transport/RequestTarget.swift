/// The path and the query of a request line, taken apart.
struct RequestTarget: Sendable {
    /// As sent, without the query.
    let path: String
    /// Percent-decoded, `+` as a space, in the order sent. What is not UTF-8 is repaired.
    let query: [(name: String, value: String)]

    init(_ target: String) {
        var rest = Self.withoutOrigin(target[...])
        if let hash = rest.firstIndex(of: "#") { rest = rest[..<hash] }
        guard let mark = rest.firstIndex(of: "?") else {
            path = String(rest)
            query = []
            return
        }
        path = String(rest[..<mark])
        query = rest[rest.index(after: mark)...].split(separator: "&").map { item in
            let parts = item.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (Self.decode(parts[0]), parts.count == 2 ? Self.decode(parts[1]) : "")
        }
    }

    /// A request line may hold a whole URL (RFC 9112 § 3.2.2).
    private static func withoutOrigin(_ target: Substring) -> Substring {
        for scheme in ["http://", "https://"] where target.hasPrefix(scheme) {
            let rest = target.dropFirst(scheme.count)
            guard let slash = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else {
                return "/"
            }
            return rest[slash...]
        }
        return target
    }

    func item(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    static func decode(_ text: Substring) -> String {
        guard text.utf8.contains(where: { $0 == UInt8(ascii: "%") || $0 == UInt8(ascii: "+") })
        else { return String(text) }
        var bytes: [UInt8] = []
        let input = Array(text.utf8)
        var index = 0
        while index < input.count {
            if input[index] == UInt8(ascii: "%"), index + 2 < input.count,
                let high = hexDigit(input[index + 1]), let low = hexDigit(input[index + 2])
            {
                bytes.append(high << 4 | low)
                index += 3
                continue
            }
            bytes.append(input[index] == UInt8(ascii: "+") ? UInt8(ascii: " ") : input[index])
            index += 1
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
