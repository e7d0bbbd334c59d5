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
        let origin = Array(origin.lowercased().utf8)
        return patterns.contains { Self.matches(origin, Array($0.lowercased().utf8)) }
    }

    /// At most the product of both lengths in steps, for any number of `*`: where the text goes on
    /// otherwise than the pattern, the last `*` takes more. One before it would gain nothing: what
    /// it could take the last one can take as well, and a `/` neither may.
    private static func matches(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
        let star = UInt8(ascii: "*")
        if pattern == [star] { return true }
        var place = (text: 0, pattern: 0)
        var resume: (text: Int, pattern: Int)?
        while place.text < text.count {
            let next = place.pattern < pattern.count ? pattern[place.pattern] : 0
            if next == star {
                place.pattern += 1
                resume = place
            } else if next == text[place.text], place.pattern < pattern.count {
                place.text += 1
                place.pattern += 1
            } else {
                guard let last = resume, text[last.text] != UInt8(ascii: "/") else { return false }
                place = (last.text + 1, last.pattern)
                resume = place
            }
        }
        return pattern[place.pattern...].allSatisfy { $0 == star }
    }
}
