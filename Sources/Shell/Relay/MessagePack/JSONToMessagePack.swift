import JSON
import SocketIO

extension MessagePackWriter {
    /// Writes a JSON value in two passes over its text and without building it in memory. A
    /// placeholder becomes the binary for which it stands.
    ///
    /// - Throws: `PacketError.placeholder` if a placeholder names none of the attachments.
    package mutating func json<Binary: Collection<UInt8>>(
        _ value: JSONText, attachments: [Binary]
    ) throws(PacketError) {
        let placeholders =
            attachments.isEmpty
            ? [] : try Placeholder.all(in: value, attachmentCount: attachments.count)
        var counts = JSONSteps.counts(value, placeholders).makeIterator()
        var steps = JSONSteps(value, placeholders)
        while let step = steps.next() {
            switch step {
            case .begin(.array): array(counts.next() ?? 0)
            case .begin: map(counts.next() ?? 0)
            case .end: break
            case .key(let key): jsonString(key.raw)
            case .scalar(let scalar): jsonScalar(scalar)
            case .attachment(let index): binary(attachments[index])
            }
        }
    }

    package mutating func json(_ value: JSONText) {
        // Without attachments no placeholder is looked for, so nothing can be thrown.
        try? json(value, attachments: [[UInt8]]())
    }

    private mutating func jsonScalar(_ scalar: JSONText) {
        switch scalar.kind {
        case .null: null()
        case .bool: bool(scalar.bool == true)
        case .string: jsonString(scalar.bytes.dropFirst().dropLast())
        case .number:
            if let whole = scalar.int { int(whole) } else { double(Double(scalar.text) ?? 0) }
        case .array, .object: break
        }
    }

    /// What stands between the quotes; copied as it is where it has no escapes.
    private mutating func jsonString(_ raw: ArraySlice<UInt8>) {
        guard raw.contains(UInt8(ascii: "\\")) else { return string(raw) }
        let quote = [UInt8(ascii: "\"")]
        string(JSONText(unchecked: (quote + raw + quote)[...]).string ?? "")
    }
}

/// The tokens of a JSON value, each placeholder as one step.
private struct JSONSteps {
    enum Step {
        case begin(JSONKind)
        case end
        case key(JSONKey)
        case scalar(JSONText)
        case attachment(Int)
    }

    private var tokens: JSONTokens
    private let placeholders: [Int: Placeholder]

    init(_ value: JSONText, _ placeholders: [Placeholder]) {
        tokens = JSONTokens(value)
        self.placeholders = Dictionary(
            placeholders.map { ($0.range.lowerBound, $0) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func next() -> Step? {
        switch tokens.next() {
        case nil: return nil
        case .begin(let kind, let offset):
            guard let placeholder = placeholders[offset] else { return .begin(kind) }
            leave(at: placeholder.range.upperBound)
            return .attachment(placeholder.index)
        case .end: return .end
        case .key(let key): return .key(key)
        case .scalar(let value): return .scalar(value)
        }
    }

    private mutating func leave(at end: Int) {
        while let token = tokens.next() {
            if case .end(_, end) = token { return }
        }
    }

    /// The number of elements or members of each container, in the order in which they begin.
    static func counts(_ value: JSONText, _ placeholders: [Placeholder]) -> [Int] {
        var counts: [Int] = []
        var open: [(index: Int, isArray: Bool)] = []
        var steps = JSONSteps(value, placeholders)
        while let step = steps.next() {
            switch step {
            case .key:
                if let last = open.last { counts[last.index] += 1 }
            case .end: _ = open.popLast()
            case .begin, .scalar, .attachment:
                if let last = open.last, last.isArray { counts[last.index] += 1 }
                guard case .begin(let kind) = step else { continue }
                open.append((counts.count, kind == .array))
                counts.append(0)
            }
        }
        return counts
    }
}
