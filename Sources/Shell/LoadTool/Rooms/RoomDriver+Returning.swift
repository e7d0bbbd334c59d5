import Glibc

extension RoomDriver {
    /// Members who lost their server and come back as the browser's client does: after 100 ms to
    /// the next URL, in the room 500 ms after they are connected; later attempts every 2 s.
    struct Returns {
        struct Step {
            enum Kind { case connect, join, giveUp }
            var kind: Kind
            var time: Int64
            var tag: Int
            /// The attempt that the step belongs to.
            var attempt: Int
        }

        var steps: [Step] = []
        /// Of each member that is away, the attempt under way.
        var away: [Int: Int] = [:]
        var lastAttempt = 0
        /// Attempts that failed since a member was last connected.
        var attempts: [Int: Int] = [:]
        /// What each sender had acknowledged when the victim died.
        var acknowledgedAtKill: [Int] = []
        var wholeAt: Int64?
        /// Whether all that was acknowledged is where it belongs.
        var isSettled = false

        func isReturning(_ tag: Int) -> Bool { away[tag] != nil }
    }

    private static let firstDelay = 100 * MonotonicClock.millisecond
    private static let laterDelay = 2000 * MonotonicClock.millisecond
    private static let joinDelay = 500 * MonotonicClock.millisecond

    // MARK: Steps

    /// - Returns: when the next step is due.
    func tickReturns(_ now: Int64) -> Int64 {
        if returns.acknowledgedAtKill.isEmpty, control.killedAt.load(ordering: .acquiring) > 0 {
            returns.acknowledgedAtKill = senders.map(\.highestAcknowledged)
        }
        let due = returns.steps.filter { $0.time <= now }
        if !due.isEmpty {
            returns.steps.removeAll { $0.time <= now }
            for step in due where returns.away[step.tag] == step.attempt { perform(step) }
        }
        checkWhole(now)
        return min(now + MonotonicClock.millisecond, returns.steps.map(\.time).min() ?? .max)
    }

    private func perform(_ step: Returns.Step) {
        switch step.kind {
        case .connect:
            connect(step.tag, query: "&roomId=\(plan.roomName(rooms[step.tag / plan.members]))")
            after(
                Int64(plan.limits.connectPatience) * MonotonicClock.second, .giveUp, step.tag)
        case .join: join(step.tag)
        case .giveUp:
            guard members[step.tag].state == .connecting,
                let connection = members[step.tag].connection
            else { return }
            loop.drop(connection)
            lost(connection, .system(ETIMEDOUT), MonotonicClock.now())
        }
    }

    private func after(_ delay: Int64, _ kind: Returns.Step.Kind, _ tag: Int) {
        returns.steps.append(
            .init(
                kind: kind, time: MonotonicClock.now() + delay, tag: tag,
                attempt: returns.away[tag] ?? 0))
    }

    // MARK: What happens to a member

    func lost(_ connection: Connection, _ reason: CloseReason, _ now: Int64) {
        let tag = connection.tag
        if members[tag].state != .ready { inProgress -= 1 }
        if !returns.isReturning(tag) { tally.moved += 1 }
        members[tag].state = .away
        members[tag].connection = nil
        returns.lastAttempt += 1
        returns.away[tag] = returns.lastAttempt
        // A redirection is followed at once, and is no attempt that failed.
        if case .connectError(let text) = reason, let server = redirection(text) {
            members[tag].server = server
            return after(0, .connect, tag)
        }
        let attempt = (returns.attempts[tag] ?? 0) + 1
        returns.attempts[tag] = attempt
        members[tag].server = (connection.server + 1) % loop.servers.count
        let delay = attempt <= loop.servers.count ? Self.firstDelay : Self.laterDelay
        after(delay, .connect, tag)
    }

    /// The server that `REDIRECT:` names, if it is one of ours.
    private func redirection(_ text: String) -> Int? {
        guard text.contains("REDIRECT:") else { return nil }
        return loop.servers.firstIndex { text.contains("REDIRECT:\($0.url)\"") }
    }

    func openedAgain(_ tag: Int, _ now: Int64) {
        returns.attempts[tag] = 0
        after(Self.joinDelay, .join, tag)
    }

    func refusedToReturn(_ tag: Int, _ now: Int64) {
        tally.rejoinFailures += 1
        after(MonotonicClock.second, .join, tag)
    }

    func hasReturned(_ tag: Int) {
        returns.away[tag] = nil
        tally.returned += 1
    }

    /// A whole scene: it has the newest state of each sender's object, and so covers what was sent
    /// before.
    func caughtUp(_ packet: UnsafeRawBufferPointer, _ tag: Int, _ now: Int64) {
        var position = 0
        let first = rooms[tag / plan.members] * plan.senders
        while let (marker, start) = MarkerFinder.search(packet, from: position) {
            position = start + Marker.byteCount
            let place = marker.sender - first
            guard place >= 0, place < plan.senders else { continue }
            checker.covered(through: marker.sequence, stream: tag * plan.senders + place)
        }
        lastProgress = now
    }

    func noteSilence(_ tag: Int, _ now: Int64) {
        let last = members[tag].lastDelivery
        if last > 0 { tally.longestSilence = max(tally.longestSilence, now - last) }
        members[tag].lastDelivery = now
    }

    // MARK: Whole again

    private func checkWhole(_ now: Int64) {
        let killedAt = control.killedAt.load(ordering: .acquiring)
        if returns.wholeAt == nil, killedAt > 0, now > killedAt,
            isWhole(returns.acknowledgedAtKill),
            victimsHaveNoticed
        {
            returns.wholeAt = now - killedAt
        }
        if now >= window.end { returns.isSettled = isWhole(senders.map(\.highestAcknowledged)) }
    }

    /// The victim's members have lost their connections and are back.
    private var victimsHaveNoticed: Bool {
        !members.contains { $0.state != .ready } && tally.moved > 0 && tally.moved <= tally.returned
    }

    private func isWhole(_ acknowledged: [Int]) -> Bool {
        guard returns.away.isEmpty else { return false }
        for (index, highest) in acknowledged.enumerated() where highest >= 0 {
            let room = index / plan.senders
            let place = index % plan.senders
            for receiver in 0..<plan.members where receiver != place || plan.echo {
                let stream = (room * plan.members + receiver) * plan.senders + place
                if Int(checker.next(of: stream)) <= highest { return false }
            }
        }
        return true
    }
}
