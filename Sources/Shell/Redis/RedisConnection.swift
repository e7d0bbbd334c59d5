import NIOCore

/// One connection to a Redis server: commands in, replies out in the same order.
///
/// Commands of one tick of the loop leave in one write. Each has a deadline; one that is missed
/// means a hung server or a cut link, and ends the connection with everything in flight on it.
/// After `listen(_:)` the connection is a subscriber: what arrives goes to the listener.
///
/// Sendable: every stored variable is touched on `eventLoop` only, and each entry asserts it.
package final class RedisConnection: ChannelInboundHandler, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer

    private struct Pending {
        let promise: EventLoopPromise<RESPValue>
        let deadline: NIODeadline
        let bytes: Int
    }

    package let channel: any Channel
    package let eventLoop: any EventLoop
    /// Set once: why the connection has ended.
    package private(set) var ending: RedisProblem?
    /// Called once, on the loop, before everything in flight fails: who is told of a failure
    /// finds the state that goes with it.
    package var onEnd: ((RedisProblem) -> Void)?
    /// Called for each error reply that tells of the server's condition, before its command fails.
    package var onRefusal: ((RedisProblem) -> Void)?
    /// Called for each reply that is not such an error.
    package var onAnswer: (() -> Void)?

    private let limits: RedisLimits
    private let decoder: RESPDecoder?
    private var listener: ((RESPValue) -> Void)?
    private var inFlight = CircularBuffer<Pending>()
    package private(set) var inFlightBytes = 0
    private var outgoing: ByteBuffer
    private var isFlushScheduled = false
    private var sweep: Scheduled<Void>?
    private var sweepTime = NIODeadline.distantFuture
    private var isDraining = false

    /// A sweep this late means that the process itself stood still, and replies may be waiting.
    private static let stall = TimeAmount.milliseconds(250)

    /// Takes over an open channel, on its loop.
    package init(channel: any Channel, limits: RedisLimits) throws {
        self.channel = channel
        eventLoop = channel.eventLoop
        self.limits = limits
        decoder = RESPDecoder(limits: limits)
        outgoing = channel.allocator.buffer(capacity: 1_024)
        eventLoop.assertInEventLoop()
        try channel.pipeline.syncOperations.addHandler(self)
        if decoder == nil { end(RedisProblem(.protocolError, "out of memory")) }
    }

    package var inFlightCount: Int { inFlight.count }

    /// Sends one command. The future fails with `RedisError`; an error reply is `.server`.
    package func send(
        _ arguments: [RESPArgument], deadline: Duration? = nil
    ) -> EventLoopFuture<RESPValue> {
        eventLoop.assertInEventLoop()
        if let ending { return eventLoop.makeFailedFuture(RedisError.unavailable(ending)) }
        if isDraining { return eventLoop.makeFailedFuture(RedisError.closed) }
        let bytes = RESPEncoder.sizeBound(arguments)
        guard inFlight.count < limits.maxInFlightCommands,
            bytes <= limits.maxInFlightBytes - inFlightBytes
        else { return eventLoop.makeFailedFuture(RedisError.overloaded) }
        let promise = eventLoop.makePromise(of: RESPValue.self)
        let due = eventLoop.now + TimeAmount(deadline ?? limits.commandDeadline)
        inFlight.append(Pending(promise: promise, deadline: due, bytes: bytes))
        inFlightBytes += bytes
        write(arguments, reserving: bytes)
        if due < sweepTime { scheduleSweep(at: due) }
        return promise.futureResult
    }

    /// Makes this a subscriber: from now on everything that arrives goes to `listener`.
    package func listen(_ listener: @escaping (RESPValue) -> Void) {
        eventLoop.assertInEventLoop()
        self.listener = listener
    }

    /// Sends what has no reply of its own: the commands of a subscriber.
    package func post(_ arguments: [RESPArgument]) {
        eventLoop.assertInEventLoop()
        guard ending == nil else { return }
        write(arguments, reserving: RESPEncoder.sizeBound(arguments))
    }

    /// Ends the connection at once and fails what is in flight.
    package func end(_ problem: RedisProblem) {
        eventLoop.assertInEventLoop()
        guard ending == nil else { return }
        ending = problem
        sweep?.cancel()
        sweep = nil
        channel.close(promise: nil)
        let now = eventLoop.now
        let failed = inFlight
        inFlight = CircularBuffer()
        inFlightBytes = 0
        onEnd?(problem)
        onEnd = nil
        onRefusal = nil
        onAnswer = nil
        listener = nil
        for pending in failed {
            let isLate = problem.code == .timeout && pending.deadline <= now
            pending.promise.fail(isLate ? RedisError.timeout : RedisError.connectionLost(problem))
        }
    }

    /// Takes no more commands and ends once the last reply is in, or its deadline missed.
    package func drain() {
        eventLoop.assertInEventLoop()
        isDraining = true
        if inFlight.isEmpty { end(RedisProblem(.closed, "closed")) }
    }
}

// MARK: - Writing

extension RedisConnection {
    private func write(_ arguments: [RESPArgument], reserving bytes: Int) {
        outgoing.reserveCapacity(minimumWritableBytes: bytes)
        RESPEncoder.encode(arguments, into: &outgoing)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        eventLoop.execute { self.flush() }
    }

    private func flush() {
        isFlushScheduled = false
        guard ending == nil, outgoing.readableBytes > 0 else { return }
        let bytes = outgoing
        outgoing = channel.allocator.buffer(capacity: 1_024)
        channel.writeAndFlush(bytes, promise: nil)
    }
}

// MARK: - Reading

extension RedisConnection {
    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard ending == nil, let decoder else { return }
        var values: [RESPValue] = []
        var failure: RESPError?
        do {
            try decoder.decode(unwrapInboundIn(data), into: &values)
        } catch {
            failure = error
        }
        for value in values where ending == nil { receive(value) }
        if let failure { end(RedisProblem(.protocolError, failure.reason)) }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        end(RedisProblem(.connectionLost, "the server closed the connection"))
        context.fireChannelInactive()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(RedisProblem(connecting: error, elseCode: .connectionLost))
    }

    private func receive(_ value: RESPValue) {
        if let listener { return listener(value) }
        guard let pending = inFlight.popFirst() else {
            if case .error(let line) = value {
                return end(RedisProblem(errorLine: line))
            }
            return end(RedisProblem(.protocolError, "a reply to no command"))
        }
        inFlightBytes -= pending.bytes
        if case .error(let line) = value {
            fail(pending.promise, errorLine: line)
        } else {
            onAnswer?()
            pending.promise.succeed(value)
        }
        if isDraining, inFlight.isEmpty { end(RedisProblem(.closed, "closed")) }
    }

    private func fail(_ promise: EventLoopPromise<RESPValue>, errorLine line: String) {
        let error = RedisError(errorLine: line)
        if case .server(let code, let message) = error,
            let problem = RedisProblem(serverCode: code, message: message)
        {
            onRefusal?(problem)
        } else {
            onAnswer?()
        }
        promise.fail(error)
    }
}

// MARK: - Deadlines

/// One timer, set to the earliest deadline that was known when it was set. It fires now and then
/// for a command long answered and is then set anew; no command pays for a timer of its own.
extension RedisConnection {
    private func scheduleSweep(at time: NIODeadline) {
        sweep?.cancel()
        sweepTime = time
        sweep = eventLoop.scheduleTask(deadline: time) { self.sweepDeadlines() }
    }

    private func sweepDeadlines() {
        guard ending == nil else { return }
        let now = eventLoop.now
        let due = sweepTime
        sweepTime = .distantFuture
        guard let earliest = inFlight.lazy.map(\.deadline).min() else { return }
        if earliest > now {
            scheduleSweep(at: earliest)
        } else if now - due > Self.stall {
            scheduleSweep(at: now + Self.stall)
        } else {
            end(RedisProblem(.timeout, "a command was not answered in time"))
        }
    }
}

extension RedisProblem {
    init(errorLine line: String) {
        guard case .server(let code, let message) = RedisError(errorLine: line) else {
            self.init(.refused, line)
            return
        }
        self =
            RedisProblem(serverCode: code, message: message)
            ?? RedisProblem(.refused, "\(code) \(message)")
    }
}
