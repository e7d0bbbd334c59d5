/// Which origins may talk to the server: exact ones, and patterns in which `*` stands for any run
/// of characters without `/`.
struct OriginPolicy: Sendable, Hashable {
    let patterns: [String]

    static let local = [
        "http://localhost", "http://localhost:*", "https://localhost", "https://localhost:*",
        "http://127.0.0.1", "http://127.0.0.1:*", "https://127.0.0.1", "https://127.0.0.1:*",
        "http://[::1]", "http://[::1]:*",
    ]

    /// No host name with scheme and port is longer; bounds the cost of patterns.
    private static let longestOriginBytes = 300

    func allows(_ origin: String) -> Bool {
        guard origin.utf8.count <= Self.longestOriginBytes else { return patterns.contains("*") }
        let origin = origin.lowercased()
        return patterns.contains { Self.matches(origin[...], $0.lowercased()[...]) }
    }

    private static func matches(_ text: Substring, _ pattern: Substring) -> Bool {
        guard pattern != "*" || text.isEmpty else { return true }
        guard let star = pattern.firstIndex(of: "*") else { return text == pattern }
        let head = pattern[..<star]
        guard text.hasPrefix(head) else { return false }
        let tail = pattern[pattern.index(after: star)...]
        var rest = text[text.index(text.startIndex, offsetBy: head.count)...]
        while true {
            if matches(rest, tail) { return true }
            guard let next = rest.first, next != "/" else { return false }
            rest = rest.dropFirst()
        }
    }
}
