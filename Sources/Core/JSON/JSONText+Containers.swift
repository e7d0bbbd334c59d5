extension JSONText {
    /// The member of an object by name; the last of equal names wins, as in JavaScript. Nil if
    /// there is none or the value is no object. Cost: one pass over the object.
    public subscript(_ key: StaticString) -> JSONText? {
        key.withUTF8Buffer { name in member { $0.matches(name) } }
    }

    /// As the subscript with a literal, for names made at run time.
    public subscript(key key: String) -> JSONText? {
        var key = key
        return key.withUTF8 { name in member { $0.matches(name) } }
    }

    /// Calls `body` with each member of an object in written order, equal names included; never if
    /// the value is no object.
    public func forEachMember(
        _ body: (_ key: JSONKey, _ value: JSONText) throws -> Void
    ) rethrows {
        var cursor = JSONContainerCursor(self, opening: .openBrace)
        while let (key, value) = cursor.nextMember() { try body(key, value) }
    }

    /// Calls `body` with each element of an array; never if the value is no array.
    public func forEachElement(_ body: (JSONText) throws -> Void) rethrows {
        var cursor = JSONContainerCursor(self, opening: .openBracket)
        while let value = cursor.nextElement() { try body(value) }
    }

    /// The elements of an array; empty if the value is no array.
    public var elements: [JSONText] {
        var elements: [JSONText] = []
        forEachElement { elements.append($0) }
        return elements
    }

    /// The elements of an array; nil if there are more than `limit`, which costs no more than
    /// looking at those.
    package func elements(atMost limit: Int) -> [JSONText]? {
        var elements: [JSONText] = []
        var cursor = JSONContainerCursor(self, opening: .openBracket)
        while let value = cursor.nextElement() {
            guard elements.count < limit else { return nil }
            elements.append(value)
        }
        return elements
    }

    /// Elements of an array or members of an object; 0 for any other value.
    public var count: Int {
        var count = 0
        forEachElement { _ in count += 1 }
        forEachMember { _, _ in count += 1 }
        return count
    }

    private func member(where matches: (JSONKey) -> Bool) -> JSONText? {
        var found: JSONText?
        forEachMember { key, value in
            if matches(key) { found = value }
        }
        return found
    }
}

/// Walks the members or elements of one container.
private struct JSONContainerCursor {
    private let container: JSONText
    private var index: Int

    /// A walk over nothing if `container` does not begin with `opening`.
    init(_ container: JSONText, opening: UInt8) {
        self.container = container
        index = container.bytes.first == opening ? 1 : container.bytes.count
    }

    mutating func nextElement() -> JSONText? {
        guard let value = nextValue(from: index) else { return nil }
        return JSONText(unchecked: container.slice(value))
    }

    mutating func nextMember() -> (JSONKey, JSONText)? {
        guard let name = nextValue(from: index), name.count >= 2 else { return nil }
        guard let value = nextValue(from: index) else { return nil }
        let raw = container.slice(name.lowerBound + 1..<name.upperBound - 1)
        return (JSONKey(raw: raw), JSONText(unchecked: container.slice(value)))
    }

    /// The value that comes next, stepping over whitespace, one comma or colon; nil at the end.
    private mutating func nextValue(from start: Int) -> Range<Int>? {
        let range = container.scan { scanner -> Range<Int>? in
            var begin = scanner.afterWhitespace(start)
            guard begin < scanner.count else { return nil }
            if scanner[begin] == .comma || scanner[begin] == .colon {
                begin = scanner.afterWhitespace(begin + 1)
            }
            guard begin < scanner.count else { return nil }
            if scanner[begin] == .closeBrace || scanner[begin] == .closeBracket { return nil }
            return begin..<scanner.skipValue(begin)
        }
        index = range?.upperBound ?? container.bytes.count
        return range
    }
}
