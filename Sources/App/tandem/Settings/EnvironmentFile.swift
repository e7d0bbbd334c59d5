import Foundation

/// A file of `NAME=value` lines, as `docker compose` and shells read them.
///
/// Empty lines and lines that begin with `#` count for nothing; `export ` before a name, quotes
/// around a value, and ` #` with what follows an unquoted value are taken off. Lines end as Unix or
/// as Windows writes them. Of a name that occurs twice the later value counts.
struct EnvironmentFile {
    var values: [String: String] = [:]
    var problems: [String] = []

    init(path: String) {
        guard let data = FileManager.default.contents(atPath: path) else {
            problems.append("--env-file: cannot read \(path)")
            return
        }
        guard let text = String(data: data, encoding: .utf8) else {
            problems.append("--env-file: \(path) is not UTF-8 text")
            return
        }
        read(text, name: path)
    }

    init(text: String, name: String) {
        read(text, name: name)
    }

    private mutating func read(_ text: String, name: String) {
        let text = text.hasPrefix("\u{FEFF}") ? text.dropFirst() : text[...]
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard let (key, text) = Self.assignment(line) else {
                problems.append("\(name), line \(index + 1): expected NAME=value")
                continue
            }
            guard let value = Self.unquoted(text) else {
                problems.append("\(name), line \(index + 1): the quote does not end")
                continue
            }
            values[key] = value
        }
    }

    /// The name, and all that follows the sign.
    private static func assignment(_ line: String) -> (String, Substring)? {
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        var key = parts[0].trimmingCharacters(in: .whitespaces)
        if key.hasPrefix("export ") {
            key = String(key.dropFirst(7)).trimmingCharacters(in: .whitespaces)
        }
        let isName = !key.isEmpty && key.utf8.allSatisfy { $0 == 0x5f || Self.isAlphanumeric($0) }
        guard isName else { return nil }
        return (key, parts[1])
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }

    /// Nil where a quote begins and does not end.
    private static func unquoted(_ text: Substring) -> String? {
        let value = text.trimmingCharacters(in: .whitespaces)
        for quote in ["\"", "'"] where value.hasPrefix(quote) {
            let inner = value.dropFirst()
            return inner.firstIndex(of: Character(quote)).map { String(inner[..<$0]) }
        }
        guard let comment = text.range(of: " #") else { return value }
        return text[..<comment.lowerBound].trimmingCharacters(in: .whitespaces)
    }
}
