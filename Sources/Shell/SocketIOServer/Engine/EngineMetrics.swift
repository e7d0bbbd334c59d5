/// Counters of an `EngineServer`; sums since its start, but for those named `open…`.
///
/// Each event loop counts for itself without locks, and publishes on every tick of its wheel
/// (250 ms): what is read here is that old at most.
public struct EngineMetrics: Sendable, Hashable {
    public var openConnections = 0
    public var openSessions = 0
    public var openWebSocketSessions = 0
    public var connections = 0
    public var sessions = 0
    public var upgrades = 0
    public var httpRequests = 0
    public var messagesReceived = 0
    public var messagesSent = 0
    public var bytesReceived = 0
    public var bytesSent = 0
    /// Too long messages that were skipped.
    public var messagesDiscarded = 0
    /// New sessions or connections that were turned away, for whatever reason.
    public var refusals = 0
    public var protocolErrors = 0
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
