import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// An Engine.IO server on one port: WebSocket, long polling, and plain HTTP beside them.
///
///     let server = EngineServer(
///         options: options, group: group, logger: logger,
///         mounts: [EngineMount(path: "/engine.io") { $0.delegate = Echo() }])
///
/// Life: `start` → serving → `stopAccepting` → `closeSessions` → `shutdown`; the later steps
/// may be left out. Each may be called from any thread, and again without effect.
public final class EngineServer: Sendable {
    private let context: EngineContext
    private let group: any EventLoopGroup
    private let listener = NIOLockedValueBox<(any Channel)?>(nil)

    /// - Parameters:
    ///   - options: how it listens, and the bounds of the transports.
    ///   - group: its loops carry the connections; a session stays on the loop it opened on.
    ///   - logger: told of plain requests whose handler failed.
    ///   - mounts: where sessions are opened and who gets them; each path once. What no mount
    ///     serves goes to `ServerOptions.httpHandler`. `ServerOptions.path` has no meaning here.
    public init(
        options: ServerOptions, group: any EventLoopGroup, logger: Logger, mounts: [EngineMount]
    ) {
        self.group = group
        context = EngineContext(options: options, group: group, logger: logger, mounts: mounts)
    }

    /// A server with one mount, at `ServerOptions.path`.
    public convenience init(
        options: ServerOptions, group: any EventLoopGroup, logger: Logger,
        onSession: @escaping @Sendable (any EngineSession) -> Void
    ) {
        self.init(
            options: options, group: group, logger: logger,
            mounts: [EngineMount(path: options.path, onSession: onSession)])
    }

    /// Counters of all loops, at most a tick (250 ms) old.
    public var metrics: EngineMetrics {
        var sum = EngineMetrics()
        for loop in context.loops { sum += loop.publishedMetrics }
        sum.refusals += context.refusedConnections.load(ordering: .relaxed)
        return sum
    }

    /// Whether no session is left.
    public var isEmpty: Bool { context.registry.isEmpty }

    /// Listens. Fails where the address is taken or unknown.
    ///
    /// - Returns: the bound address, with the port that the system chose for port 0.
    public func start() -> EventLoopFuture<SocketAddress> {
        for loop in context.loops { loop.eventLoop.execute { loop.start() } }
        let options = context.options
        return bootstrap().bind(host: options.host, port: options.port).flatMapThrowing { channel in
            self.listener.withLockedValue { $0 = channel }
            guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
            return address
        }
    }

    /// Takes no more connections; those open go on.
    public func stopAccepting() -> EventLoopFuture<Void> {
        let channel = listener.withLockedValue { listener in
            defer { listener = nil }
            return listener
        }
        guard let channel else { return group.any().makeSucceededVoidFuture() }
        return channel.close().recover { _ in }
    }

    /// Closes every session, spread evenly over a time, so that the clients do not all come to
    /// the next server at once. New sessions are refused with 503 from now on.
    public func closeSessions(
        _ reason: EngineCloseReason = .serverShutdown(), over window: Duration = .zero
    ) -> EventLoopFuture<Void> {
        context.isClosing.store(true, ordering: .relaxed)
        let sessions = context.registry.sessions
        let milliseconds = window.wholeMilliseconds
        let closed = sessions.enumerated().map { index, session in
            let delay = milliseconds * Int64(index) / Int64(max(1, sessions.count))
            return session.eventLoop.scheduleTask(in: .milliseconds(delay)) {
                session.close(reason)
            }.futureResult
        }
        return EventLoopFuture.andAllComplete(closed, on: group.any())
    }

    /// Stops: no new connections, all sessions closed at once, idle connections cut, the others
    /// after `closeTimeout` at the latest.
    public func shutdown() -> EventLoopFuture<Void> {
        stopAccepting().flatMap { self.closeSessions() }.flatMap {
            let loops = self.context.loops.map { loop in
                loop.eventLoop.flatSubmit { self.settle(loop) }
            }
            return EventLoopFuture.andAllComplete(loops, on: self.group.any())
        }
    }

    /// Waits on the loop until its connections are gone, and cuts them when time is up.
    private func settle(_ loop: EngineLoop) -> EventLoopFuture<Void> {
        let deadline = loop.now + context.options.limits.closeTimeout.wholeMilliseconds
        let promise = loop.eventLoop.makePromise(of: Void.self)
        loop.closeIdleConnections()
        loop.eventLoop.scheduleRepeatedTask(
            initialDelay: .zero, delay: .milliseconds(10)
        ) { task in
            if loop.now >= deadline { loop.closeConnections() }
            guard !loop.hasConnections || loop.now >= deadline + 100 else { return }
            task.cancel()
            loop.stop()
            promise.succeed()
        }
        return promise.futureResult
    }

    // MARK: Connections

    private func bootstrap() -> ServerBootstrap {
        let backlog = Int32(clamping: context.options.limits.listenBacklog)
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // Linux hands it on to the sockets that are accepted.
            .serverChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // Out of file descriptors: wait a second, do not spin.
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptBackoffHandler())
                }
            }
            .childChannelInitializer { [context] channel in
                channel.eventLoop.makeCompletedFuture {
                    try Self.initialize(channel, context)
                }
            }
    }

    private static let readSizes = AdaptiveRecvByteBufferAllocator(
        minimum: 512, initial: 512, maximum: 65_536)

    /// The pipeline of one connection.
    static func initialize(_ channel: any Channel, _ context: EngineContext) throws {
        guard let loop = context.loop(of: channel.eventLoop) else {
            throw ChannelError.operationUnsupported
        }
        let pipeline = channel.pipeline.syncOperations
        let limits = context.options.limits
        try channel.syncOptions?.setOption(.recvAllocator, value: readSizes)
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark,
            value: .init(low: limits.highWaterBytes / 2, high: limits.highWaterBytes))
        let count = context.connectionCount.wrappingIncrementThenLoad(ordering: .relaxed)
        channel.closeFuture.whenComplete { _ in
            context.connectionCount.wrappingDecrement(ordering: .relaxed)
            loop.closed(channel)
        }
        loop.opened(channel)
        guard count <= limits.maxConnections else {
            context.refusedConnections.wrappingIncrement(ordering: .relaxed)
            try pipeline.addHandler(BusyHandler(.serverIsFull))
            return
        }
        guard takePlace(of: channel, context) else {
            context.refusedConnections.wrappingIncrement(ordering: .relaxed)
            try pipeline.addHandler(BusyHandler(.addressIsFull))
            return
        }
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = limits.maxHeaderBytes
        decoderLimits.maxHeaderListSize = limits.maxHeaderBytes
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .forwardBytes, limitConfiguration: decoderLimits)
        try pipeline.addHandler(HTTPResponseEncoder(), name: HTTPHandler.encoderName)
        try pipeline.addHandler(
            ByteToMessageHandler(decoder), name: HTTPHandler.decoderName)
        try pipeline.addHandler(HTTPHandler(engine: context, loop: loop))
    }

    /// Counts the connection for its peer; false where that has its full number.
    private static func takePlace(of channel: any Channel, _ context: EngineContext) -> Bool {
        guard let peer = channel.remoteAddress?.ipAddress, !context.isTrusted(peer) else {
            return true
        }
        guard context.addresses.connectionOpened(peer) else { return false }
        channel.closeFuture.whenComplete { _ in context.addresses.connectionClosed(peer) }
        return true
    }
}
