public import JSON

/// Refuses a client in a namespace's middleware; sent as CONNECT_ERROR `{message, data}`.
///
/// A client of Engine.IO 3 is sent ERROR with `data`, or where that is nil with `message`.
public struct ConnectError: Error, Sendable, Hashable {
    /// What the client reads as the error's message.
    public var message: String
    /// Any value for the client, or nil to leave the field out.
    public var data: JSONValue?

    /// A refusal with a message, and with data for programs.
    public init(message: String, data: JSONValue? = nil) {
        self.message = message
        self.data = data
    }
}

/// Why an ack never comes. Ends the wait, not the socket.
public enum AckError: Error, Sendable, Hashable {
    /// The client did not answer in time.
    case timeout
    /// The socket left its namespace before the answer came, or had left already.
    case disconnected
    /// `SocketLimits.maxPendingAcks` acks are awaited already; the event was not sent.
    case tooManyPending
}
