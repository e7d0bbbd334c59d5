package import JSON

/// Bounds on what one client may send; each is checked before anything is kept.
package struct PacketLimits: Sendable, Hashable {
    /// Binary attachments of one packet. Default 10; beyond: `PacketError.tooManyAttachments`.
    package var maxAttachments = 10
    /// Bytes of text and attachments of one packet. Default 32 MiB; beyond: `.tooLarge`.
    package var maxPacketBytes = 32 << 20
    /// Bytes of a namespace's name. Default 256; beyond: `.namespace`.
    package var maxNamespaceBytes = 256
    /// Bytes of the query behind the namespace of a CONNECT of revision 4. Default 4 KiB; beyond:
    /// `.namespace`.
    package var maxConnectQueryBytes = 4 << 10
    /// Bytes of an event's name. Default 256; beyond: `.eventName`.
    package var maxEventNameBytes = 256
    /// Depth and size of the JSON payload. Beyond: `.json`.
    package var json = JSONLimits()

    package init() {}
}

/// Why a message is no Socket.IO packet. Each ends the connection, but for those with `isLimit`.
package enum PacketError: Error, Hashable, Sendable {
    case empty
    case unknownType
    /// The count of attachments is missing, no number, or not followed by `-`.
    case attachmentCount
    case tooManyAttachments
    case tooLarge
    case namespace
    /// The ack id is beyond 2^53, or an ack has none.
    case ackID
    case json(JSONError)
    /// The payload is not of the shape its type asks for.
    case payload
    /// An event with a name that the protocol keeps for itself.
    case reservedEvent
    case eventName
    /// A placeholder names an attachment that the packet does not have.
    case placeholder
    /// A text message while attachments of the last packet are awaited.
    case attachmentExpected
    /// A binary message that no packet announced.
    case unexpectedAttachment

    /// Whether the message may be a packet, only more than this side takes in: no reason to give
    /// up the connection.
    package var isLimit: Bool {
        if case .json(let error) = self { error.reason == .depth } else { false }
    }
}
