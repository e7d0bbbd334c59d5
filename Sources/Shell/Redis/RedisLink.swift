import Logging
import NIOCore

/// Keeps one connection alive: opens it, and when it ends opens the next, with backoff.
///
/// Used on `eventLoop` only, which is what makes it Sendable.
final class RedisLink: @unchecked Sendable {
    let eventLoop: any EventLoop
    /// The open and greeted connection, if there is one.
    private(set) var connection: RedisConnection?
    private(set) var greeting: RedisGreeting?
    private(set) var upSince = NIODeadline.uptimeNanoseconds(0)
    /// What ended the last connection or attempt; nil while connected.
    private(set) var problem: RedisProblem?
    private(set) var breaker: CircuitBreaker
    private(set) var deadlineMisses = 0

    var onUp: ((RedisConnection, RedisGreeting) -> Void)?
    /// Called for each loss and for each attempt that failed.
    var onDown: ((RedisProblem) -> Void)?
    var onRefusal: ((RedisProblem) -> Void)?

    private let connector: RedisConnector
    private let name: String
    private let logger: Logger
    private var backoff: Backoff
    private var retry: Scheduled<Void>?
    private var isClosed = false

    init(connector: RedisConnector, name: String, logger: Logger) {
        let limits = connector.configuration.limits
        self.connector = connector
        self.name = name
        self.logger = logger
        eventLoop = connector.eventLoop
        backoff = Backoff(minimum: limits.minBackoff, maximum: limits.maxBackoff)
        breaker = CircuitBreaker(
            maxMisses: limits.maxDeadlineMisses, cooldown: limits.breakerCooldown,
            now: eventLoop.now)
    }

    /// Tries now what would be tried later. Does nothing while connected or in an attempt.
    func connectNow() {
        eventLoop.assertInEventLoop()
        guard !isClosed else { return }
        let now = eventLoop.now
        if let until = breaker.opensUntil, until > now {
            return connect(after: Duration(until - now))
        }
        guard breaker.beginTrial(at: now) else { return }
        retry?.cancel()
        retry = nil
        connector.open(name: name).whenComplete { result in
            switch result {
            case .success(let opened): self.opened(opened.connection, opened.greeting)
            case .failure(let error):
                self.attemptFailed(RedisProblem(connecting: error, elseCode: .unreachable))
            }
        }
    }

    /// Ends the connection, if any; a new one follows.
    func recycle(_ problem: RedisProblem) {
        connection?.end(problem)
    }

    /// Ends the connection for good, after its last reply where `drains`.
    func close(drains: Bool) {
        eventLoop.assertInEventLoop()
        guard !isClosed else { return }
        isClosed = true
        retry?.cancel()
        retry = nil
        if drains {
            connection?.drain()
        } else {
            connection?.end(RedisProblem(.closed, "closed"))
        }
        if connection == nil { forgetOwner() }
    }

    /// Owner and link know each other; after the last call the circle is opened.
    private func forgetOwner() {
        onUp = nil
        onDown = nil
        onRefusal = nil
    }

    private func opened(_ connection: RedisConnection, _ greeting: RedisGreeting) {
        if isClosed { connection.end(RedisProblem(.closed, "closed")) }
        if let ending = connection.ending { return attemptFailed(ending) }
        connection.onEnd = { self.lost($0) }
        connection.onRefusal = { self.onRefusal?($0) }
        connection.onAnswer = { self.breaker.commandAnswered() }
        breaker.trialSucceeded()
        self.connection = connection
        self.greeting = greeting
        problem = nil
        upSince = eventLoop.now
        logger.debug(
            "Redis connection is up",
            metadata: ["link": "\(name)", "server": "\(greeting.address)"])
        onUp?(connection, greeting)
    }

    private func attemptFailed(_ problem: RedisProblem) {
        breaker.trialFailed(at: eventLoop.now)
        down(problem)
    }

    private func lost(_ problem: RedisProblem) {
        let now = eventLoop.now
        connection = nil
        if problem.code == .timeout {
            deadlineMisses += 1
            breaker.deadlineMissed(at: now)
        } else {
            breaker.connectionLost(at: now)
        }
        if now - upSince >= TimeAmount(connector.configuration.limits.stableAfter) {
            backoff.reset()
        }
        down(problem)
    }

    private func down(_ problem: RedisProblem) {
        self.problem = problem
        guard !isClosed else {
            onDown?(problem)
            return forgetOwner()
        }
        logger.debug(
            "Redis connection is down", metadata: ["link": "\(name)", "why": "\(problem)"])
        var generator = SystemRandomNumberGenerator()
        connect(after: backoff.next(using: &generator))
        onDown?(problem)
    }

    private func connect(after wait: Duration) {
        retry?.cancel()
        retry = eventLoop.scheduleTask(in: TimeAmount(wait)) { self.connectNow() }
    }
}
