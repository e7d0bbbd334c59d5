/// How packets travel.
package enum TransportKind: String, Sendable, Hashable {
    case polling
    case webSocket = "websocket"
}

/// Revisions of the Engine.IO protocol that this server speaks. Another is refused with
/// `RequestError.unsupportedProtocolVersion`.
package enum ProtocolRevision: String, Sendable, Hashable {
    case four = "4"
}
