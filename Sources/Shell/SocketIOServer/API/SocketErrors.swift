public import JSON

/// Refuses a client in a namespace's middleware; sent as CONNECT_ERROR `{message, data}`.
///
/// A client of Engine.IO 3 is sent ERROR with `data`, or where that is nil with `message`.
public struct ConnectError: Error, Sendable, Hashable {
    public var message: String
    /// Any value for the client, or nil to leave the field out.
    public var data: JSONValue?

    public init(message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}

/// Why an ack never comes. Ends the wait, not the socket.
public enum AckError: Error, Sendable, Hashable {
    case timeout
    case disconnected
    /// `SocketLimits.maxPendingAcks` acks are awaited already; the event was not sent.
    case tooManyPending
}
