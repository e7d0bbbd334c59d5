public import Logging
public import NIOCore

/// A Socket.IO server on one port, for clients of protocol revision 5 over Engine.IO 4 and of
/// revision 4 over Engine.IO 3.
///
///     let server = SocketIOServer(options: options, eventLoopGroup: group, logger: logger)
///     server.of("/").onConnection { socket in
///         socket.on("hello") { event in socket.emit("welcome", "to you") }
///     }
///     let address = try await server.start()
///
/// Life: `start` → serving → `stopAccepting` → `closeSessions` → `shutdown`; the later steps may
/// be left out. Every method may be called from any thread.
public final class SocketIOServer: Sendable {
    private let engine: EngineServer
    private let namespaces: NamespaceTable

    /// - Parameters:
    ///   - options: how it listens, and the bounds of the transports.
    ///   - limits: the bounds of the Socket.IO layer.
    ///   - eventLoopGroup: its loops carry connections and sockets.
    ///   - logger: told of what a program's author may want to know, at `debug` and `error`.
    ///   - adapter: makes the adapter of each namespace; `LocalAdapter` unless given.
    ///   - mounts: bare Engine.IO beside Socket.IO, on the same port; paths other than
    ///     `ServerOptions.path`.
    public init(
        options: ServerOptions = ServerOptions(), limits: SocketLimits = SocketLimits(),
        eventLoopGroup: any EventLoopGroup, logger: Logger,
        adapter: @escaping AdapterFactory = { _, loops, _ in LocalAdapter(loops: loops) },
        mounts: [EngineMount] = []
    ) {
        let loops = eventLoopGroup.makeIterator().map { $0 as any EventLoop }
        let namespaces = NamespaceTable(loops: loops, limits: limits, adapter: adapter)
        self.namespaces = namespaces
        let socketIO = EngineMount(path: options.path) { session in
            // The session holds its delegate until it ends.
            _ = SocketIOConnection(
                session, namespaces: namespaces, logger: logger)
        }
        engine = EngineServer(
            options: options, group: eventLoopGroup, logger: logger, mounts: [socketIO] + mounts)
    }

    /// The namespace of that name, which exists from then on; clients of others are refused.
    /// `/` always exists.
    public func of(_ name: String) -> Namespace { namespaces.obtain(name) }

    /// Listens. Fails where the address is taken or unknown.
    ///
    /// - Returns: the bound address, with the port that the system chose for port 0.
    public func start() -> EventLoopFuture<SocketAddress> { engine.start() }

    /// As `start()` for event loops, to be awaited.
    public func start() async throws -> SocketAddress { try await engine.start().get() }

    /// Takes no more connections; those open go on.
    public func stopAccepting() -> EventLoopFuture<Void> { engine.stopAccepting() }

    /// Closes every session without a DISCONNECT packet, spread evenly over a time, so that the
    /// clients do not all come to the next server at once. New sessions are refused from now on.
    public func closeSessions(
        over window: TimeAmount, reason: EngineCloseReason = .serverShutdown()
    ) -> EventLoopFuture<Void> {
        engine.closeSessions(reason, over: .nanoseconds(window.nanoseconds))
    }

    /// Stops for good: what is left of listener, sessions and connections is closed.
    public func shutdown() -> EventLoopFuture<Void> { engine.shutdown() }

    /// Open Engine.IO sessions, at most a tick (250 ms) ago.
    public var sessionCount: Int { engine.metrics.openSessions }

    /// Whether no session is left, now.
    public var isEmpty: Bool { engine.isEmpty }

    /// Counters of the transports, at most a tick (250 ms) old.
    public var metrics: EngineMetrics { engine.metrics }
}
