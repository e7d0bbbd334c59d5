import Foundation

/// A file of `NAME=value` lines, as `docker compose` and shells read them.
///
/// Empty lines and lines that begin with `#` count for nothing; `export ` before a name, quotes
/// around a value, and ` #` with what follows an unquoted value are taken off.
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
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = line.trimmingCharacters(in: .whitespaces)
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            guard let (key, value) = Self.assignment(line) else {
                problems.append("\(name), line \(index + 1): expected NAME=value")
                continue
            }
            values[key] = value
        }
    }

    private static func assignment(_ line: String) -> (String, String)? {
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        var key = parts[0].trimmingCharacters(in: .whitespaces)
        if key.hasPrefix("export ") {
            key = String(key.dropFirst(7)).trimmingCharacters(in: .whitespaces)
        }
        let isName = !key.isEmpty && key.utf8.allSatisfy { $0 == 0x5f || Self.isAlphanumeric($0) }
        guard isName else { return nil }
        return (key, unquoted(parts[1].trimmingCharacters(in: .whitespaces)))
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        default: false
        }
    }

    private static func unquoted(_ value: String) -> String {
        for quote in ["\"", "'"] where value.hasPrefix(quote) {
            if let end = value.dropFirst().firstIndex(of: Character(quote)) {
                return String(value[value.index(after: value.startIndex)..<end])
            }
        }
        guard let comment = value.range(of: " #") else { return value }
        return value[..<comment.lowerBound].trimmingCharacters(in: .whitespaces)
    }
}
