import NIOCore

/// How an `EngineServer` listens, and whom it serves how.
public struct ServerOptions: Sendable {
    /// The address or name to listen on.
    public var host = "0.0.0.0"
    /// 0 lets the system choose.
    public var port = 3001
    /// Where Socket.IO is served, with and without a trailing slash.
    public var path = "/socket.io"
    /// How a session may be opened. Another transport is refused with "Transport unknown".
    public var transports: Set<Transport> = [.polling, .webSocket]
    /// Whether clients of Engine.IO 3 are served, those of Socket.IO 1 and 2 (`EIO=3`). If not,
    /// they are refused with "Unsupported protocol version".
    public var allowsRevision3 = true
    /// Whether a polling session may move to a WebSocket.
    public var allowUpgrades = true

    /// Put before each session id, so that a proxy can send a polling client to the instance that
    /// has its session: `server-1.`. Characters that need no escape in a URL.
    public var sessionIDPrefix = ""

    /// Advertised in the open packet, and the pace of our pings.
    public var pingInterval: Duration = .seconds(10)
    /// Advertised only: with `pingInterval` it tells the client when to give this server up.
    public var pingTimeout: Duration = .seconds(5)
    /// How long we wait for a pong. Longer than `pingTimeout`, since a browser that parses a big
    /// scene cannot answer, and is not gone.
    public var pongPatience: Duration = .seconds(20)
    /// Time from the probe of an upgrade to its end; then the candidate is closed.
    public var upgradeTimeout: Duration = .seconds(10)

    /// The bounds of the transports.
    public var limits = Limits()

    /// Whether a browser page of that origin may talk to us. Requests without `Origin` are not
    /// asked about.
    public var allowsOrigin: @Sendable (_ origin: String) -> Bool = { _ in true }
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    public var trustedProxies: [AddressRange] = AddressRange.loopback
    /// Asked once for each new session, before anything is opened.
    public var admission: @Sendable (HandshakeRequest) -> Admission = { _ in .accept }
    /// Headers for the answer that opens a session: the 101, or the first poll.
    public var handshakeHeaders: @Sendable (HandshakeRequest) -> [(String, String)] = { _ in [] }
    /// Where requests go whose session another instance has; nil refuses them. Needs a
    /// `sessionIDPrefix` that tells the instances apart.
    public var forwarding: SessionForwarding?
    /// Serves every path other than `path` and those of other mounts.
    public var httpHandler: @Sendable (HTTPRequest) -> EventLoopFuture<HTTPResponse> = {
        $0.eventLoop.makeSucceededFuture(
            .error(.notFound, code: "NOT_FOUND", message: "No such path"))
    }

    /// The defaults.
    public init() {}

    /// How packets travel.
    public enum Transport: String, Sendable, Hashable, CaseIterable {
        /// HTTP requests that are answered when there is something to say.
        case polling
        /// RFC 6455, without extensions.
        case webSocket = "websocket"
    }
}

extension ServerOptions {
    /// Every bound that a client can reach, with what happens beyond it.
    public struct Limits: Sendable {
        /// Bytes of one message, advertised as `maxPayload`. Beyond: over WebSocket the message
        /// is skipped and reported (`discardedMessageOf`); over polling 413.
        public var maxPayloadBytes = 16 * 1024 * 1024 + 64 * 1024
        /// Bytes up to which a too long WebSocket message is skipped. Beyond: close 1009.
        public var maxSkippedMessageBytes = 64 * 1024 * 1024
        /// Bytes queued for one session beyond one message: a single bigger message is taken
        /// when the queue is empty. Beyond: close with `.tooSlow`.
        public var maxBufferedBytesPerSession = 8 * 1024 * 1024
        /// Bytes queued for all sessions. Beyond: the slowest sessions are closed, `.tooSlow`.
        public var maxBufferedBytes = 512 * 1024 * 1024
        /// Bytes queued for one session, beyond what the kernel holds, at which it counts as backed
        /// up: nothing is read from it until half of that is left.
        public var highWaterBytes = 256 * 1024
        /// Bytes that the client of a session that is backed up must take in each
        /// `slowReaderTime`. Beyond: close with `.tooSlow`. One that takes nothing at all is
        /// closed so when its ping is overdue.
        public var slowReaderBytes = 128 * 1024
        /// Time in which such a client must take `slowReaderBytes`.
        public var slowReaderTime: Duration = .seconds(30)
        /// Packets in one answer to a poll; the rest waits for the next. The clients of
        /// python-engineio refuse more.
        public var maxPacketsPerPoll = 16
        /// TCP connections. Beyond: answered 503 and closed.
        public var maxConnections = 50_000
        /// TCP connections of one peer address. Beyond: answered 429 and closed.
        ///
        /// This and the other limits of an address do not count for addresses of
        /// `ServerOptions.trustedProxies`. An IPv6 address counts by its first 64 bits.
        public var maxConnectionsPerAddress = 6_000
        /// Sessions of one client address (after trusted proxies). Beyond: 429.
        public var maxSessionsPerAddress = 5_000
        /// Sessions that one client address may open in a second, on average. Beyond: 429 with
        /// `retry-after`.
        public var sessionsPerSecondPerAddress = 200
        /// Sessions that one client address may open at once before the average counts.
        public var sessionBurstPerAddress = 1_000
        /// Plain requests of one client address in a second, on average. Beyond: 429 with
        /// `retry-after`.
        public var requestsPerSecondPerAddress = 100
        /// Plain requests of one client address at once before the average counts.
        public var requestBurstPerAddress = 500
        /// Client addresses remembered for these limits beyond those with something open.
        /// Beyond: those that have their whole burst again are
        /// forgotten.
        public var rememberedAddresses = 10_000
        /// Bytes of a request's headers. Beyond: 431.
        public var maxHeaderBytes = 16 * 1024
        /// Bytes of a plain request's body. Beyond: 413.
        public var maxPlainBodyBytes = 1024 * 1024
        /// Pipelined requests waiting on one connection. Beyond: closed.
        public var maxPipelinedRequests = 16
        /// Time for a whole request to arrive (and a second more for each 16 KiB of its body), for
        /// an idle kept-alive connection, and in which a slow reader must take some of a long
        /// answer. Beyond: closed.
        public var httpIdleTimeout: Duration = .seconds(15)
        /// Time for a closing connection to take what is queued for it. Beyond: cut.
        public var closeTimeout: Duration = .seconds(3)
        /// Connections that the kernel holds for us to accept. Beyond: refused by the kernel.
        public var listenBacklog = 4096

        /// The defaults.
        public init() {}
    }
}
