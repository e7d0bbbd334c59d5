/// Why bytes are not the one MessagePack value asked for. Ends the message, nothing else.
package struct MessagePackError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: String, Hashable, Sendable {
        /// The input ends inside a value, or a length says more than there is left.
        case truncated
        /// The byte 0xC1, which the format never uses.
        case unusedByte
        /// A string that is not UTF-8.
        case utf8
        /// Bytes after the value.
        case trailing
        /// Arrays and maps nest deeper than `MessagePackLimits.maxDepth`.
        case depth
        /// More values than `MessagePackLimits.maxValues`.
        case tooManyValues
        /// More bytes than `MessagePackLimits.maxBytes`.
        case size
        /// An extension type other than undefined, date and binary.
        case `extension`
        /// The key of a map is no string.
        case key
        /// A map that a receiver could take for the placeholder of an attachment.
        case placeholder
        /// A value of another kind than the message has at this place.
        case shape
    }

    package let reason: Reason
    /// Bytes before the place of the error.
    package let offset: Int

    package init(_ reason: Reason, at offset: Int = 0) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String { "invalid MessagePack: \(reason.rawValue) at byte \(offset)" }
}
