/// Reads variables, and keeps every problem instead of stopping at the first.
struct SettingsReader {
    private let values: [String: String]
    private(set) var problems: [String]

    init(_ values: [String: String], problems: [String] = []) {
        self.values = values
        self.problems = problems
    }

    /// The value, nil if unset or empty.
    func string(_ variable: Variable) -> String? {
        guard let value = values[variable.rawValue], !value.isEmpty else { return nil }
        return value
    }

    mutating func report(_ variable: Variable, _ problem: String) {
        problems.append("\(variable.rawValue): \(problem)")
    }

    mutating func integer(
        _ variable: Variable, _ range: ClosedRange<Int>, default fallback: Int
    ) -> Int {
        guard let text = string(variable) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            report(
                variable,
                "'\(text)' is not a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return value
    }

    mutating func milliseconds(
        _ variable: Variable, _ range: ClosedRange<Int>, default fallback: Int
    ) -> Duration {
        .milliseconds(integer(variable, range, default: fallback))
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ variable: Variable, default fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let text = string(variable) else { return fallback }
        guard let value = Choice(rawValue: text.lowercased()) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            report(variable, "'\(text)' is none of \(known)")
            return fallback
        }
        return value
    }

    func list(_ variable: Variable) -> [String]? {
        string(variable)?.split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
    }
}

extension Substring {
    fileprivate var trimmed: String {
        var rest = drop(while: \.isWhitespace)
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
