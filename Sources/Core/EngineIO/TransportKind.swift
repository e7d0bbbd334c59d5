/// How packets travel.
package enum TransportKind: String, Sendable, Hashable {
    case polling
    case webSocket = "websocket"
}

/// Revisions of the Engine.IO protocol that this server speaks. Another is refused with
/// `RequestError.unsupportedProtocolVersion`.
package enum ProtocolRevision: String, Sendable, Hashable, CaseIterable {
    /// Clients of Socket.IO 1 and 2: length-prefixed payloads, and the client pings.
    case three = "3"
    /// Clients of Socket.IO 3 and later.
    case four = "4"
}
