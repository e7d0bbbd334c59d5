/// How a request whose session another instance has gets there.
///
/// A proxy that is not sticky sends the polls of one session to any instance. The one that gets
/// such a request asks `home` where its session is, sends the request there and gives back the
/// answer; a WebSocket that takes a polling session over is tunnelled. What cannot be forwarded is
/// answered like an unknown session (400, code 1), on which clients open a new one at once.
///
/// A forwarded request says so in `header` and is not forwarded again, so requests cannot go in
/// circles. Whoever else sends that header gets what he would get without forwarding. The client's
/// address goes along in `X-Forwarded-For`. Sessions know their clients since they were opened, but
/// those of Engine.IO 3 take requests only from the address that opened them: for these the other
/// instances must be among `ServerOptions.trustedProxies`.
public struct SessionForwarding: Sendable {
    /// Says where a session is; see `home`.
    public typealias Home = @Sendable (_ sid: String) -> ForwardTarget?

    /// Marks a forwarded request.
    public static let header = "x-tandem-forwarded"

    /// Where the session of that id is: nil where nobody else has it, or its instance is known to
    /// be gone. Asked on an event loop for each such request, and every second while it waits.
    public var home: Home
    /// Called once, after the first forward that another instance has served: the time to tell
    /// the operator that the proxy is not sticky.
    public var onFirstForward: @Sendable (FirstForward) -> Void = { _ in }
    /// The bounds of forwarding.
    public var limits = Limits()

    /// Forwards to where `home` says, and tells nobody of the first time.
    public init(home: @escaping Home) {
        self.home = home
    }

    /// What is known when the first forward was served.
    public struct FirstForward: Sendable, Hashable {
        /// The instance that had the session.
        public let target: ForwardTarget
        /// Who sent the request here, most likely the proxy.
        public let peerAddress: String
    }

    /// Every bound of forwarding, with what happens beyond it.
    public struct Limits: Sendable, Hashable {
        /// Whole requests on their way and tunnels, of all clients. Beyond: 503.
        public var maxForwards = 4_000
        /// Bytes of bodies and answers on their way, of all clients. Beyond: 503.
        public var maxBytes = 128 * 1024 * 1024
        /// Bytes of each body or answer that do not count for `maxBytes`, so that long messages
        /// cannot keep short ones out.
        public var uncountedBytes = 64 * 1024
        /// Time for a connection to the other instance. Beyond: unknown session.
        public var connectTimeout: Duration = .seconds(1)
        /// Time for an answer, or for the next byte through a tunnel, on top of the ping interval:
        /// a poll is answered by the next ping at the latest. Beyond: unknown session, or the
        /// tunnel is closed.
        public var answerMargin: Duration = .seconds(5)
        /// Connections to one instance that each event loop keeps for later requests. Beyond:
        /// closed after their answer.
        public var maxIdleConnections = 64
        /// Time for which they are kept. Below the `httpIdleTimeout` of the other side, so that
        /// none is closed there while it is used here.
        public var idleTimeout: Duration = .seconds(5)

        /// The defaults.
        public init() {}
    }
}

/// Another instance, as this one reaches it.
public struct ForwardTarget: Sendable, Hashable {
    /// Its id, for logs.
    public let name: String
    /// The address or name to connect to.
    public let host: String
    /// The port of that instance's own server.
    public let port: Int

    /// An instance by its id and its address.
    public init(name: String, host: String, port: Int) {
        self.name = name
        self.host = host
        self.port = port
    }

    /// For the `Host` header.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
