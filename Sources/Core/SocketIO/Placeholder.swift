package import JSON

/// The stand-in for a binary inside a payload: `{"_placeholder":true,"num":0}`.
package struct Placeholder: Sendable, Hashable {
    /// Which attachment it stands for.
    package let index: Int
    /// Where it is, counted from the first byte of the payload.
    package let range: Range<Int>

    /// The stand-in for attachment `index` as a value to send.
    package static func value(_ index: Int) -> JSONValue {
        ["_placeholder": true, "num": .integer(index)]
    }

    /// The attachment that `value` stands for, or nil if it is no placeholder.
    package static func index(of value: JSONText) -> Int? {
        guard value["_placeholder"]?.bool == true, let index = value["num"]?.int else {
            return nil
        }
        return Int(exactly: index)
    }

    /// All placeholders of a payload in the order in which they end, at any depth; one pass.
    ///
    /// - Throws: `.placeholder` if one of them names none of `attachmentCount` attachments.
    package static func all(
        in payload: JSONText, attachmentCount: Int
    ) throws(PacketError) -> [Placeholder] {
        var found: [Placeholder] = []
        var open: [Candidate] = []
        var key: JSONKey?
        for token in JSONTokens(payload) {
            switch token {
            case .begin(_, let offset):
                open.last.map { open[open.count - 1] = $0.with(key, nil) }
                open.append(Candidate(offset: offset))
                key = nil
            case .key(let name):
                key = name
            case .scalar(let value):
                open.last.map { open[open.count - 1] = $0.with(key, value) }
                key = nil
            case .end(_, let offset):
                guard let candidate = open.popLast(), candidate.isMarked else { continue }
                guard let index = candidate.index, 0..<Int64(attachmentCount) ~= index else {
                    throw .placeholder
                }
                found.append(
                    Placeholder(index: Int(index), range: candidate.offset..<offset))
            }
        }
        return found
    }

    /// What is known so far of an object that may be a placeholder; the last of equal names wins.
    private struct Candidate {
        let offset: Int
        var isMarked = false
        var index: Int64?

        func with(_ key: JSONKey?, _ value: JSONText?) -> Candidate {
            guard let key else { return self }
            var changed = self
            if key == "_placeholder" { changed.isMarked = value?.bool == true }
            if key == "num" { changed.index = value?.int }
            return changed
        }
    }
}
