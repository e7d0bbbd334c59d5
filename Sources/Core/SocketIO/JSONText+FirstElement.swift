package import JSON

extension JSONText {
    /// The first element of an array, found without looking at the others.
    package var firstElement: JSONText? {
        var tokens = JSONTokens(self)
        guard case .begin(.array, _) = tokens.next() else { return nil }
        switch tokens.next() {
        case .scalar(let value): return value
        case .begin: return elements.first
        default: return nil
        }
    }
}
