import Foundation

@testable import JSON

extension FuzzTarget {
    /// Any bytes: accepted exactly where Foundation's parser accepts them and read as the same
    /// value, but for `JSONDifference`; and reads that trust their input stay inside it.
    static let json = FuzzTarget(name: "json", maxBytes: 8 << 10) { input in
        touch(JSONText(unchecked: input[...]))
        let checked = try? JSONText(validating: input[...])
        let reference = try? JSONSerialization.jsonObject(
            with: Data(input), options: [.fragmentsAllowed])
        switch (checked, reference) {
        case (nil, nil): return
        case (let checked?, let reference?):
            try compare(checked, reference)
            try rewrite(checked)
        case (let checked?, nil):
            try require(
                JSONDifference.refusedByFoundation(checked), "only we accept \(checked)")
            try rewrite(checked)
        case (nil, .some):
            try require(
                JSONDifference.acceptedByFoundation(input),
                "only Foundation accepts \(String(decoding: input, as: UTF8.self))")
        }
    }

    /// Everything that can be asked of a value.
    private static func touch(_ text: JSONText) {
        _ = (text.kind, text.bool, text.int, text.double, text.string, text.count)
        _ = (text["a"], text[key: "\u{e9}"], text.elements(atMost: 3), text.elements.count)
        text.forEachMember { key, value in _ = (key == "a", key.string, value.kind) }
        for token in JSONTokens(text) {
            if case .scalar(let value) = token { _ = (value.string, value.int, value.double) }
        }
    }

    private static func compare(_ text: JSONText, _ reference: Any) throws {
        switch (text.kind, reference) {
        case (.null, is NSNull): return
        case (.bool, let value as NSNumber):
            try require(text.bool == value.boolValue, "\(text) is not \(value)")
        case (.number, let value as NSNumber): try compareNumber(text, value)
        case (.string, let value as String):
            try require(
                text.string.map { Array($0.utf8) } == Array(value.utf8), "\(text) is not \(value)")
        case (.array, let values as [Any]):
            let elements = text.elements
            try require(elements.count == values.count, "\(text) has other elements")
            for (element, value) in zip(elements, values) { try compare(element, value) }
        case (.object, let values as [String: Any]):
            var names: Set<String> = []
            text.forEachMember { key, _ in names.insert(key.string) }
            try require(names.count == values.count, "\(text) has other members")
            for (name, value) in values { try compareMember(text, name, value) }
        default:
            throw Finding(description: "\(text) is \(type(of: reference))")
        }
    }

    /// Of equal names either parser may take another one; ours takes the last.
    private static func compareMember(_ text: JSONText, _ name: String, _ value: Any) throws {
        guard let member = text[key: name] else {
            throw Finding(description: "\(text) has no \(name)")
        }
        var count = 0
        text.forEachMember { key, _ in if key == name { count += 1 } }
        if count == 1 { try compare(member, value) }
    }

    private static func compareNumber(_ text: JSONText, _ value: NSNumber) throws {
        // Spelled with a fraction it is whole if the nearest double is; Foundation cuts decimals.
        if let whole = text.int, !text.bytes.contains(UInt8(ascii: ".")) {
            try require(whole == value.int64Value, "\(text) is not \(value)")
        }
        guard let double = text.double else {
            throw Finding(description: "\(text) is no number here, there \(value)")
        }
        // Foundation reads some through decimals, the last digit of which may differ.
        let other = value.doubleValue
        try require(
            double == other || abs(double - other) <= max(abs(double), abs(other)) * 1e-14,
            "\(text) is not \(other)")
    }

    /// What is read and written again is the same value.
    private static func rewrite(_ text: JSONText) throws {
        var depth = 0
        for token in JSONTokens(text) {
            switch token {
            case .begin: depth += 1
            case .end: depth -= 1
            case .key(let key): try rewrite(key.string)
            case .scalar(let value):
                if let string = value.string { try rewrite(string) }
                if let whole = value.int {
                    try require(JSONValue.int(whole).json.int == whole, "\(value) changes")
                }
                if let double = value.double {
                    try require(
                        JSONValue.double(double).json.double == double, "\(value) changes")
                }
            }
        }
        try require(depth == 0, "\(text) does not close what it opens")
    }

    private static func rewrite(_ string: String) throws {
        let written = try JSONText(validating: JSONValue.string(string).encoded[...])
        try require(
            written.string.map { Array($0.utf8) } == Array(string.utf8), "\(string) changes")
    }
}

/// Where Foundation's `JSONSerialization` and RFC 8259 as we read it differ, and why we stay.
private enum JSONDifference {
    /// RFC 8259 allows both: an escaped surrogate without its partner (§ 8.2; browsers send them,
    /// the text is relayed as it is and becomes U+FFFD where it is read), and numbers beyond the
    /// range of a double (§ 6; relayed as spelled, `double` is nil).
    static func refusedByFoundation(_ text: JSONText) -> Bool {
        var isKnown = false
        for token in JSONTokens(text) {
            switch token {
            case .key(let key): isKnown = isKnown || hasLoneSurrogate(key.raw)
            case .scalar(let value):
                if value.kind == .string {
                    isKnown = isKnown || hasLoneSurrogate(value.bytes)
                } else if value.kind == .number {
                    isKnown = isKnown || value.double.map { !isOrdinary($0) } ?? true
                }
            case .begin, .end: break
            }
        }
        return isKnown
    }

    private static func hasLoneSurrogate(_ raw: ArraySlice<UInt8>) -> Bool {
        JSONUnescape.string(raw).unicodeScalars.contains("\u{FFFD}")
    }

    private static func isOrdinary(_ value: Double) -> Bool { value == 0 || value.isNormal }

    /// RFC 8259 § 8.1 asks for UTF-8 without a byte order mark; Foundation takes UTF-16 and UTF-32
    /// and skips the mark. It also takes a comma behind the last element, which no grammar allows.
    static func acceptedByFoundation(_ input: [UInt8]) -> Bool {
        input.contains(0) || input.starts(with: [0xEF, 0xBB, 0xBF])
            || input.starts(with: [0xFE, 0xFF]) || input.starts(with: [0xFF, 0xFE])
            || hasTrailingComma(input)
    }

    private static func hasTrailingComma(_ input: [UInt8]) -> Bool {
        let dense = input.filter { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        return zip(dense, dense.dropFirst()).contains { comma, end in
            comma == .comma && (end == .closeBracket || end == .closeBrace)
        }
    }
}
