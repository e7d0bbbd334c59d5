/// Why bytes are not one JSON value, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Reason: String, Hashable, Sendable {
        /// No value at all: zero bytes, or whitespace only.
        case empty
        /// A byte that RFC 8259 does not allow at this place.
        case syntax
        /// The input ends inside a value.
        case truncated
        /// Bytes of a string are not UTF-8 (overlong forms and encoded surrogates included).
        case utf8
        /// Arrays and objects nest deeper than `JSONLimits.maxDepth`.
        case depth
        /// Something other than whitespace follows the value.
        case trailing
        /// The input is longer than `JSONLimits.maxBytes`.
        case size
    }

    /// Bytes before the place of the error, counted from the first byte given.
    public let offset: Int
    public let reason: Reason

    public init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }

    public var description: String { "invalid JSON: \(reason.rawValue) at byte \(offset)" }
}
