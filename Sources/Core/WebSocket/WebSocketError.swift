/// What a peer did wrong; each ends the connection with `closeCode`.
package enum WebSocketError: Error, Sendable, Hashable {
    /// A reserved bit without an extension that gives it a meaning.
    case reservedBits
    case unknownOpcode
    case unmaskedFrame
    /// Not the shortest form, or above 2⁶³.
    case invalidLength
    /// A control frame in fragments, or above 125 bytes.
    case invalidControlFrame
    /// A continuation with nothing to continue, or a new message inside another.
    case invalidFragment
    case invalidCloseFrame
    case invalidUTF8
    /// Beyond even `Limits.maxSkippedMessageBytes`.
    case messageTooBig

    package var closeCode: UInt16 {
        switch self {
        case .invalidUTF8: CloseCode.invalidPayload
        case .messageTooBig: CloseCode.messageTooBig
        default: CloseCode.protocolError
        }
    }
}
