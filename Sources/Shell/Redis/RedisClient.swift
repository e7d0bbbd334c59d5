import Logging
import NIOCore
import Synchronization

/// A Redis client that outlives its connections: one for commands, one for messages.
///
/// - Connects, and connects again, for as long as it is open; needs no Redis to start.
/// - Never waits for a connection: without one a command fails at once with
///   `RedisError.unavailable`. Nothing is queued, nothing is sent twice.
/// - Commands called on one thread are carried out in the order of their calls, except that a
///   script which the server does not know is sent again, after what was sent meanwhile.
/// - A command that has no reply by its deadline ends the connection.
/// - Subscriptions are restored on each new connection. Messages published meanwhile are lost;
///   `RedisEvent.subscriptionLost` and `.subscriptionReady` tell of it.
/// - A ping and a probe each second find a hung server, a cut link and a dead subscription.
///
/// Callable from any thread; futures, handlers and events run on `eventLoop`. A client that has
/// been started must be closed.
///
/// Sendable: the stored variables are touched on `eventLoop` only; `snapshot` has its own lock.
package final class RedisClient: @unchecked Sendable {
    package typealias MessageHandler = @Sendable (RedisMessage) -> Void

    package let eventLoop: any EventLoop
    package let configuration: RedisConfiguration

    private let snapshot = Mutex(RedisStatus())
    let connector: RedisConnector
    let commands: RedisLink
    let subscriber: RedisSubscriber?
    var figures = RedisStatus()
    var refusal: RedisProblem?
    var lastRunID: String?
    var hasBeenUp = false
    var hasBeenReady = false
    var isClosed = false
    var probe: RepeatedTask?
    var lastProbe: NIODeadline
    var ticks = 0
    var isAskingSentinel = false
    let logger: Logger
    private var observers: [@Sendable (RedisEvent) -> Void] = []
    private var closing: EventLoopFuture<Void>?

    /// Throws where the TLS configuration cannot be used. Opens nothing until `start()`.
    package init(
        configuration: RedisConfiguration, eventLoop: any EventLoop,
        logger: Logger = Logger(label: "redis")
    ) throws {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.logger = logger
        connector = try RedisConnector(configuration: configuration, eventLoop: eventLoop)
        commands = RedisLink(connector: connector, name: configuration.clientName, logger: logger)
        if configuration.subscribes {
            let id = configuration.probeID ?? Self.randomID()
            let link = RedisLink(
                connector: connector, name: "\(configuration.clientName)-sub", logger: logger)
            subscriber = RedisSubscriber(
                link: link, probeChannel: "tandem:probe:\(id)",
                maxNames: configuration.limits.maxNamesPerSubscribe)
        } else {
            subscriber = nil
        }
        lastProbe = eventLoop.now
    }

    private static func randomID() -> String {
        String(UInt64.random(in: .min ... .max), radix: 16)
    }
}

// MARK: - Life

extension RedisClient {
    /// Begins to connect. Failure is not an error: watch `status` or `observe`.
    package func start() {
        onLoop { self.startOnLoop() }
    }

    /// Refuses new commands, waits for the replies of those in flight (no longer than their
    /// deadlines), and closes both connections.
    package func close() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { self.closeOnLoop() }
    }

    /// State and figures, from any thread.
    package var status: RedisStatus { snapshot.withLock { $0 } }

    /// Calls `observer` on the loop for each event from now on, for as long as the client lives.
    package func observe(_ observer: @escaping @Sendable (RedisEvent) -> Void) {
        onLoop { self.observers.append(observer) }
    }

    /// `observe`, for changes of state alone; called at once with the present state.
    package func onStateChange(_ handler: @escaping @Sendable (RedisState) -> Void) {
        onLoop {
            handler(self.figures.state)
            self.observers.append { if case .stateChanged(let state) = $0 { handler(state) } }
        }
    }

    /// `observe`, for the return of the command connection alone.
    package func onReconnected(_ handler: @escaping @Sendable (_ runIDChanged: Bool) -> Void) {
        observe { if case .reconnected(let changed) = $0 { handler(changed) } }
    }

    private func closeOnLoop() -> EventLoopFuture<Void> {
        if let closing { return closing }
        isClosed = true
        probe?.cancel()
        subscriber?.close()
        let promise = eventLoop.makePromise(of: Void.self)
        closing = promise.futureResult
        commands.onRefusal = nil
        if commands.connection == nil {
            promise.succeed()
        } else {
            commands.onDown = { _ in promise.succeed() }
        }
        commands.close(drains: true)
        updateState()
        observers.removeAll()
        return promise.futureResult
    }

    private func onLoop(_ work: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { work() } else { eventLoop.execute(work) }
    }

    func emit(_ event: RedisEvent) {
        for observer in observers { observer(event) }
    }

    func publishStatus() {
        let status = figures
        snapshot.withLock { $0 = status }
    }
}

// MARK: - Commands

extension RedisClient {
    /// Sends one command, for example `["SET", "key", "value"]`.
    ///
    /// Fails with `RedisError`; an error reply is `.server(code:message:)`. Commands of one tick
    /// of the loop share one write. `deadline` replaces `RedisLimits.commandDeadline`.
    package func send(
        _ arguments: [RESPArgument], deadline: Duration? = nil
    ) -> EventLoopFuture<RESPValue> {
        guard eventLoop.inEventLoop else {
            return eventLoop.flatSubmit { self.send(arguments, deadline: deadline) }
        }
        if isClosed { return eventLoop.makeFailedFuture(RedisError.closed) }
        guard let connection = commands.connection, commands.breaker.admitsCommands else {
            let problem = commands.problem ?? RedisProblem(.unreachable, "not connected yet")
            return eventLoop.makeFailedFuture(RedisError.unavailable(problem))
        }
        figures.commands &+= 1
        return connection.send(arguments, deadline: deadline)
    }

    /// Runs a script by its name; sends its source once if the server does not know it.
    package func eval(
        _ script: RedisScript, keys: [RESPArgument] = [], arguments: [RESPArgument] = [],
        deadline: Duration? = nil
    ) -> EventLoopFuture<RESPValue> {
        let rest = [RESPArgument(keys.count)] + keys + arguments
        return send(["EVALSHA", RESPArgument(script.sha1)] + rest, deadline: deadline)
            .flatMapError { error in
                guard case RedisError.server(code: "NOSCRIPT", _) = error else {
                    return self.eventLoop.makeFailedFuture(error)
                }
                return self.send(["EVAL", RESPArgument(script.source)] + rest, deadline: deadline)
            }
    }
}

// MARK: - Messages

extension RedisClient {
    /// Hears a channel from now on, over every later connection too; replaces its former handler.
    ///
    /// The future succeeds when the server has confirmed, which waits for a connection as long as
    /// it takes; it fails with `RedisError.closed` on `unsubscribe` or `close`.
    @discardableResult
    package func subscribe(
        _ channel: String, _ handler: @escaping MessageHandler
    ) -> EventLoopFuture<Void> {
        onSubscriber { $0.subscribe(channel: channel, handler) }
    }

    /// As `subscribe`, for a glob pattern of channel names.
    @discardableResult
    package func psubscribe(
        _ pattern: String, _ handler: @escaping MessageHandler
    ) -> EventLoopFuture<Void> {
        onSubscriber { $0.subscribe(pattern: pattern, handler) }
    }

    /// Ends a subscription. Its handler is not called any more once this has run on the loop.
    package func unsubscribe(_ channel: String) {
        onLoop { self.subscriber?.unsubscribe(channel: channel) }
    }

    package func punsubscribe(_ pattern: String) {
        onLoop { self.subscriber?.unsubscribe(pattern: pattern) }
    }

    private func onSubscriber(
        _ work: @escaping @Sendable (RedisSubscriber) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<Void> {
        let loop = eventLoop
        let run: @Sendable () -> EventLoopFuture<Void> = {
            guard let subscriber = self.subscriber, !self.isClosed else {
                return loop.makeFailedFuture(RedisError.closed)
            }
            return work(subscriber)
        }
        return loop.inEventLoop ? run() : loop.flatSubmit(run)
    }
}
