/// One step through a JSON value; offsets count from the first byte of the value.
package enum JSONToken {
    /// `{` or `[` at the offset.
    case begin(JSONKind, offset: Int)
    /// `}` or `]`; the offset is that of the byte after it.
    case end(JSONKind, offset: Int)
    case key(JSONKey)
    case scalar(JSONText)
}

/// Walks through a whole value, containers included, in one pass and without recursion.
package struct JSONTokens: Sequence, IteratorProtocol {
    private let value: JSONText
    private var index = 0

    package init(_ value: JSONText) {
        self.value = value
    }

    package mutating func next() -> JSONToken? {
        let start = index
        let (begin, end, isKey) = value.scan { scanner in
            var begin = scanner.afterWhitespace(start)
            while begin < scanner.count, scanner[begin] == .comma || scanner[begin] == .colon {
                begin = scanner.afterWhitespace(begin + 1)
            }
            guard begin < scanner.count else { return (begin, begin, false) }
            switch scanner[begin] {
            case .openBrace, .openBracket, .closeBrace, .closeBracket:
                return (begin, begin + 1, false)
            default:
                let end = scanner.skipValue(begin)
                let after = scanner.afterWhitespace(end)
                return (begin, end, after < scanner.count && scanner[after] == .colon)
            }
        }
        guard begin < end else { return nil }
        index = end
        let text = value.slice(begin..<end)
        switch text.first {
        case .openBrace: return .begin(.object, offset: begin)
        case .openBracket: return .begin(.array, offset: begin)
        case .closeBrace: return .end(.object, offset: end)
        case .closeBracket: return .end(.array, offset: end)
        default:
            return isKey && text.count >= 2
                ? .key(JSONKey(raw: text.dropFirst().dropLast()))
                : .scalar(JSONText(unchecked: text))
        }
    }
}
