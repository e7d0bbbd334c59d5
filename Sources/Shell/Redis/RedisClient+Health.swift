import NIOCore

/// State, health ping and probe; all of it on the loop.
extension RedisClient {
    /// A probe later than this means that the process itself stood still.
    private static let stall: Duration = .seconds(1)

    func startOnLoop() {
        guard probe == nil, !isClosed else { return }
        commands.onUp = { self.commandsUp($1) }
        commands.onDown = { _ in self.updateState() }
        commands.onRefusal = { self.refused($0) }
        subscriber?.onReady = { self.subscriptionReady() }
        subscriber?.onLost = { self.subscriptionLost($0) }
        subscriber?.onProbeable = { self.publishProbe() }
        let interval = TimeAmount(configuration.limits.probeInterval)
        lastProbe = eventLoop.now
        probe = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            self.tick()
        }
        commands.connectNow()
        subscriber?.link.connectNow()
    }

    func updateState() {
        let state = currentState
        figures.inFlightCommands = commands.connection?.inFlightCount ?? 0
        figures.inFlightBytes = commands.connection?.inFlightBytes ?? 0
        figures.deadlineMisses = commands.deadlineMisses
        figures.server = commands.connection == nil ? nil : commands.greeting
        figures.isSubscriptionHealthy = subscriber?.isHealthy ?? false
        figures.lastHeard = subscriber?.lastHeard
        let isChanged = state != figures.state
        log(from: figures.state, to: state)
        figures.state = state
        publishStatus()
        if state.isReady { hasBeenReady = true }
        if isChanged { emit(.stateChanged(state)) }
    }

    /// One line when Redis becomes unusable, when the reason turns into another, and when it is
    /// over: an operator has to read of it at the usual level.
    private func log(from old: RedisState, to new: RedisState) {
        if let problem = new.problem {
            guard problem.code != old.problem?.code else { return }
            logger.warning(
                "Redis is not usable",
                metadata: ["server": "\(configuration)", "problem": "\(problem)"])
        } else if new.isReady, old.problem != nil || !hasBeenReady {
            logger.notice("Redis is usable", metadata: ["server": "\(configuration)"])
        }
    }

    private var currentState: RedisState {
        if isClosed { return .closed }
        guard commands.connection != nil else {
            return commands.problem.map(RedisState.down) ?? .connecting
        }
        if let refusal { return .degraded(refusal) }
        guard let subscriber, !subscriber.isHealthy else { return .ready }
        if let problem = subscriber.link.problem { return .degraded(problem) }
        if !hasBeenReady { return .connecting }
        return .degraded(RedisProblem(.subscriptionSilent, "the client's own probe is awaited"))
    }

    private func commandsUp(_ greeting: RedisGreeting) {
        let runIDChanged = greeting.runID == nil || greeting.runID != lastRunID
        lastRunID = greeting.runID
        refusal = nil
        if let subscriber {
            renewSubscriber(subscriber, for: greeting)
            publishProbe()
        }
        if hasBeenUp {
            figures.reconnects += 1
            emit(.reconnected(runIDChanged: runIDChanged))
        }
        hasBeenUp = true
        askAboutEviction()
        updateState()
    }

    /// Messages must come from the server that takes the commands; what fell silent while the
    /// commands were away is not waited for.
    private func renewSubscriber(_ subscriber: RedisSubscriber, for greeting: RedisGreeting) {
        let isOther =
            subscriber.link.greeting.map {
                $0.runID != greeting.runID || $0.address != greeting.address
            } ?? false
        if isOther || (hasBeenUp && !subscriber.isHealthy) {
            subscriber.link.recycle(
                RedisProblem(.connectionLost, "replaced along with the command connection"))
        }
        subscriber.link.connectNow()
        subscriber.forgiveSilence()
    }

    private func subscriptionReady() {
        emit(.subscriptionReady)
        updateState()
    }

    private func subscriptionLost(_ problem: RedisProblem) {
        figures.subscriptionsLost += 1
        emit(.subscriptionLost(problem))
        updateState()
    }
}

// MARK: - Each second

extension RedisClient {
    private func tick() {
        let now = eventLoop.now
        let limits = configuration.limits
        if now - lastProbe > TimeAmount(limits.probeInterval + Self.stall) {
            subscriber?.forgiveSilence()
        }
        lastProbe = now
        subscriber?.checkSilence(
            limit: limits.probeSilence, canPublish: commands.connection != nil)
        ping()
        publishProbe()
        if refusal != nil { tryWrite() }
        ticks += 1
        if ticks % limits.probesPerEvictionLook == 0 { askAboutEviction() }
        if ticks % limits.probesPerSentinelLook == 0 { askSentinel() }
        updateState()
    }

    private func ping() {
        guard let connection = commands.connection else { return }
        let sent = eventLoop.now
        connection.send(["PING"], deadline: configuration.limits.pingDeadline).whenSuccess { _ in
            self.figures.latency = Duration(self.eventLoop.now - sent)
            self.publishStatus()
        }
    }

    private func publishProbe() {
        guard let subscriber, let connection = commands.connection else { return }
        let nonce = UInt32.random(in: .min ... .max)
        _ = connection.send(["PUBLISH", RESPArgument(subscriber.probeChannel), RESPArgument(nonce)])
    }

    /// The server has refused: it stays so until it is seen to take a write again.
    private func refused(_ problem: RedisProblem) {
        if problem.code == .readOnly, configuration.sentinels != nil {
            return commands.recycle(problem)
        }
        refusal = problem
        updateState()
    }

    private func tryWrite() {
        guard let connection = commands.connection else { return }
        let key = "tandem:probe:write"
        connection.send(["SET", RESPArgument(key), "1", "PX", "5000"]).whenSuccess { _ in
            self.refusal = nil
            self.updateState()
        }
    }
}
