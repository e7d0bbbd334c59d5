/// Counters of an `EngineServer`; sums since its start, but for those named `open…`.
///
/// Each event loop counts for itself without locks, and publishes on every tick of its wheel
/// (250 ms): what is read here is that old at most.
public struct EngineMetrics: Sendable, Hashable {
    /// TCP connections that are open.
    public var openConnections = 0
    /// Sessions that are open, over either transport.
    public var openSessions = 0
    /// Sessions that are open and carried by a WebSocket.
    public var openWebSocketSessions = 0
    /// TCP connections that were accepted.
    public var connections = 0
    /// Sessions that were opened.
    public var sessions = 0
    /// Sessions that moved from polling to a WebSocket.
    public var upgrades = 0
    /// HTTP requests of all kinds, those that open a WebSocket included.
    public var httpRequests = 0
    /// Messages that were handed to the layer above.
    public var messagesReceived = 0
    /// Messages that the layer above sent, each recipient counted.
    public var messagesSent = 0
    /// Bytes of those messages that were received.
    public var bytesReceived = 0
    /// Bytes written for sessions, frames and payloads included.
    public var bytesSent = 0
    /// Too long messages that were skipped.
    public var messagesDiscarded = 0
    /// New sessions or connections that were turned away, for whatever reason.
    public var refusals = 0
    /// Sessions and requests that ended because the peer broke the protocol.
    public var protocolErrors = 0
    /// Sessions closed because the client fell silent.
    public var pingTimeouts = 0
    /// Sessions closed because they read too slowly.
    public var slowClients = 0
    /// Bytes waiting for sessions that are backed up.
    public var backloggedBytes = 0

    /// Requests that another instance served for us, because it had their session.
    public var forwards = 0
    /// Such requests that it did not serve: gone, silent, or a limit was reached.
    public var forwardFailures = 0
    /// WebSockets whose session another instance has.
    public var openTunnels = 0

    /// All zero.
    public init() {}

    static func += (sum: inout EngineMetrics, part: EngineMetrics) {
        sum.openConnections += part.openConnections
        sum.openSessions += part.openSessions
        sum.openWebSocketSessions += part.openWebSocketSessions
        sum.connections += part.connections
        sum.sessions += part.sessions
        sum.upgrades += part.upgrades
        sum.httpRequests += part.httpRequests
        sum.messagesReceived += part.messagesReceived
        sum.messagesSent += part.messagesSent
        sum.bytesReceived += part.bytesReceived
        sum.bytesSent += part.bytesSent
        sum.messagesDiscarded += part.messagesDiscarded
        sum.refusals += part.refusals
        sum.protocolErrors += part.protocolErrors
        sum.pingTimeouts += part.pingTimeouts
        sum.slowClients += part.slowClients
        sum.backloggedBytes += part.backloggedBytes
        sum.forwards += part.forwards
        sum.forwardFailures += part.forwardFailures
        sum.openTunnels += part.openTunnels
    }
}
