/// One session: its transport, the upgrade, the heartbeat, the end.
///
///     polling ── probeArrived ─▶ polling + candidate ── 2probe ─▶ polling + probed ── 5 ─▶ webSocket
///        ▲                            │   │                           │   │
///        └── probe closed, timed out ─┘   └───────────────────────────┘   │
///     polling, webSocket ── closeRequested, timeout, error ─▶ closing (polling only) ─▶ closed
///
/// Invariants: at most one poll waits and one post is read; data goes over one transport at a
/// time, and over the WebSocket only after packet `5`; `closing` lasts until a poll has fetched the
/// close packet or a deadline passed. A peer can do anything in any state and gets an answer.
package struct EngineSessionStateMachine: Sendable, Hashable {
    /// All times are milliseconds.
    package struct Settings: Sendable, Hashable {
        package var pingInterval: Int64
        package var pongPatience: Int64
        package var upgradeTimeout: Int64
        /// How long the close packet waits for a poll.
        package var closeTimeout: Int64
        package var allowsUpgrade: Bool

        package init(
            pingInterval: Int64 = 10_000, pongPatience: Int64 = 20_000,
            upgradeTimeout: Int64 = 10_000, closeTimeout: Int64 = 3_000,
            allowsUpgrade: Bool = true
        ) {
            self.pingInterval = pingInterval
            self.pongPatience = pongPatience
            self.upgradeTimeout = upgradeTimeout
            self.closeTimeout = closeTimeout
            self.allowsUpgrade = allowsUpgrade
        }
    }

    private enum Upgrade: Sendable, Hashable {
        case none
        case candidate(deadline: Int64)
        /// The probe was answered. `quickNoops` polls are answered at once; should the client
        /// poll on, the next waits for the clock, so that it does not spin.
        case probed(deadline: Int64, quickNoops: Int)
    }

    private struct Polling: Sendable, Hashable {
        var isPollWaiting = false
        var isPosting = false
        var upgrade = Upgrade.none
    }

    private enum State: Sendable, Hashable {
        case polling(Polling)
        case webSocket
        case closing(deadline: Int64)
        case closed
    }

    private let settings: Settings
    private let revision: ProtocolRevision
    private var state: State
    private var heartbeat: Heartbeat

    package init(
        _ transport: TransportKind, revision: ProtocolRevision = .four, settings: Settings,
        now: Int64
    ) {
        self.settings = settings
        self.revision = revision
        state = transport == .polling ? .polling(Polling()) : .webSocket
        heartbeat = Heartbeat(
            pingInterval: settings.pingInterval, pongPatience: settings.pongPatience,
            revision: revision, now: now)
    }

    package var transport: TransportKind {
        if case .webSocket = state { .webSocket } else { .polling }
    }

    /// Whether messages may still be queued and delivered.
    package var isOpen: Bool {
        switch state {
        case .polling, .webSocket: true
        case .closing, .closed: false
        }
    }

    package var isClosed: Bool { state == .closed }

    /// When `timePassed` has something to do next; nil once closed.
    package var nextDeadline: Int64? {
        switch state {
        case .polling(let polling):
            switch polling.upgrade {
            case .none: heartbeat.nextDeadline
            case .candidate(let deadline): min(deadline, heartbeat.nextDeadline)
            case .probed(let deadline, _):
                polling.isPollWaiting ? 0 : min(deadline, heartbeat.nextDeadline)
            }
        case .webSocket: heartbeat.nextDeadline
        case .closing(let deadline): deadline
        case .closed: nil
        }
    }
}

// MARK: - Packets

extension EngineSessionStateMachine {
    package enum PacketAction: Sendable, Hashable {
        case deliver
        /// Send a pong with the data of the ping.
        case answerPing
        case ignore
        case close(CloseCause)
    }

    /// Why a session ends by itself.
    package enum CloseCause: Sendable, Hashable {
        case transportClose, transportError, pingTimeout, parseError
    }

    /// Bytes arrived that are no whole packet yet.
    package mutating func heard(now: Int64) {
        heartbeat.heard(now: now)
    }

    /// A packet arrived over the transport that carries the session.
    package mutating func received(_ type: PacketType, now: Int64) -> PacketAction {
        guard isOpen else { return .ignore }
        heartbeat.heard(now: now)
        switch (type, revision) {
        case (.message, _): return .deliver
        case (.ping, .three): return .answerPing
        case (.pong, .four):
            heartbeat.receivedPong(now: now)
            return .ignore
        case (.close, _): return .close(.transportClose)
        // In revision 3 only a client pings, in revision 4 only a server.
        case (.ping, .four), (.pong, .three): return .close(.transportError)
        case (.open, _), (.upgrade, _), (.noop, _): return .ignore
        }
    }
}

// MARK: - Polling

extension EngineSessionStateMachine {
    package enum PollAction: Sendable, Hashable {
        /// Answer when there is something to say.
        case hold
        /// Answer with what is queued.
        case answerQueued
        case answerNoop
        /// Answer with what is queued and a close packet; the session is then gone.
        case answerClose
        /// Two polls at once: refuse this one with 400, answer the waiting one with a close
        /// packet, and close the session.
        case closeOverlap
        case refuse(RequestError)
    }

    package mutating func pollArrived(hasQueued: Bool, now: Int64) -> PollAction {
        switch state {
        case .polling(var polling):
            guard !polling.isPollWaiting else { return .closeOverlap }
            heartbeat.heard(now: now)
            if hasQueued { return .answerQueued }
            if case .probed(let deadline, let quick) = polling.upgrade, quick > 0 {
                polling.upgrade = .probed(deadline: deadline, quickNoops: quick - 1)
                state = .polling(polling)
                return .answerNoop
            }
            polling.isPollWaiting = true
            state = .polling(polling)
            return .hold
        case .webSocket: return .refuse(.badRequest)
        case .closing:
            state = .closed
            return .answerClose
        case .closed: return .refuse(.unknownSession)
        }
    }

    /// Something is queued: whether a waiting poll takes it now.
    package mutating func takePoll() -> Bool {
        guard case .polling(var polling) = state, polling.isPollWaiting else { return false }
        polling.isPollWaiting = false
        state = .polling(polling)
        return true
    }

    /// The connection of the waiting poll is gone, and with it the client.
    package mutating func pollAborted() -> CloseCause? {
        takePoll() ? .transportError : nil
    }

    package enum PostAction: Sendable, Hashable {
        case read
        /// Two posts at once: refuse with 400 and close the session.
        case closeOverlap
        case refuse(RequestError)
    }

    package mutating func postArrived() -> PostAction {
        switch state {
        case .polling(var polling):
            guard !polling.isPosting else { return .closeOverlap }
            polling.isPosting = true
            state = .polling(polling)
            return .read
        case .webSocket: return .refuse(.badRequest)
        case .closing, .closed: return .refuse(.unknownSession)
        }
    }

    /// The post's body is there, or will never be. Returns whether its packets still count.
    package mutating func postEnded() -> Bool {
        guard case .polling(var polling) = state else { return false }
        polling.isPosting = false
        state = .polling(polling)
        return true
    }
}

// MARK: - Upgrade

extension EngineSessionStateMachine {
    /// A WebSocket with this session's id arrived. Nil: take it as the candidate.
    package mutating func probeArrived(now: Int64) -> RequestError? {
        switch state {
        case .polling(var polling):
            guard settings.allowsUpgrade, polling.upgrade == .none else { return .badRequest }
            polling.upgrade = .candidate(deadline: now + settings.upgradeTimeout)
            state = .polling(polling)
            return nil
        case .webSocket: return .badRequest
        case .closing, .closed: return .unknownSession
        }
    }

    package enum ProbeAction: Sendable, Hashable {
        /// Send `3probe` to the candidate; answer the waiting poll, if there is one, with a noop.
        case answerProbe(flushPoll: Bool)
        /// The candidate is the transport now; a poll that still waits is answered with a noop.
        case completeUpgrade(flushPoll: Bool)
        /// Close the candidate; the session goes on over polling.
        case closeProbe
    }

    /// A packet arrived from the candidate.
    package mutating func probeReceived(_ packet: Packet, now: Int64) -> ProbeAction {
        guard case .polling(var polling) = state else { return .closeProbe }
        switch (polling.upgrade, packet.type) {
        case (.candidate(let deadline), .ping) where packet.data.elementsEqual("probe".utf8):
            polling.upgrade = .probed(deadline: deadline, quickNoops: 3)
            let waits = polling.isPollWaiting
            polling.isPollWaiting = false
            state = .polling(polling)
            return .answerProbe(flushPoll: waits)
        case (.probed, .upgrade):
            state = .webSocket
            heartbeat.heard(now: now)
            return .completeUpgrade(flushPoll: polling.isPollWaiting)
        default:
            polling.upgrade = .none
            state = .polling(polling)
            return .closeProbe
        }
    }

    /// The candidate's connection is gone, or sent what is no packet.
    package mutating func probeEnded() {
        guard case .polling(var polling) = state else { return }
        polling.upgrade = .none
        state = .polling(polling)
    }
}

// MARK: - Time and end

extension EngineSessionStateMachine {
    /// What is due; several things may be.
    package struct TimerActions: Sendable, Hashable {
        package var sendPing = false
        package var answerPollWithNoop = false
        package var closeProbe = false
        package var close: CloseCause?
        /// Nobody fetched the close packet: forget the session.
        package var forget = false

        package init(
            sendPing: Bool = false, answerPollWithNoop: Bool = false, closeProbe: Bool = false,
            close: CloseCause? = nil, forget: Bool = false
        ) {
            self.sendPing = sendPing
            self.answerPollWithNoop = answerPollWithNoop
            self.closeProbe = closeProbe
            self.close = close
            self.forget = forget
        }
    }

    package mutating func timePassed(now: Int64) -> TimerActions {
        var actions = TimerActions()
        switch state {
        case .closed: return actions
        case .closing(let deadline):
            guard now >= deadline else { return actions }
            state = .closed
            actions.forget = true
            return actions
        case .polling(var polling):
            upgradeTimePassed(&polling, &actions, now: now)
            state = .polling(polling)
        case .webSocket: break
        }
        switch heartbeat.timePassed(now: now) {
        case .nothing: break
        case .ping: actions.sendPing = true
        case .timeout: actions.close = .pingTimeout
        }
        return actions
    }

    private func upgradeTimePassed(
        _ polling: inout Polling, _ actions: inout TimerActions, now: Int64
    ) {
        switch polling.upgrade {
        case .none: break
        case .candidate(let deadline), .probed(let deadline, _):
            if now >= deadline {
                polling.upgrade = .none
                actions.closeProbe = true
            } else if case .probed = polling.upgrade, polling.isPollWaiting {
                polling.isPollWaiting = false
                actions.answerPollWithNoop = true
            }
        }
    }

    package enum CloseAction: Sendable, Hashable {
        case nothing
        case closeWebSocket
        /// Answer the waiting poll with what is queued and a close packet, and forget the session.
        case answerPollWithClose(closeProbe: Bool)
        /// The next poll will fetch the close packet.
        case awaitPoll(closeProbe: Bool)
        /// Nobody is to be told: forget the session.
        case forget(closeProbe: Bool)
    }

    /// The session ends from our side.
    ///
    /// - Parameter lingers: whether a polling client may still fetch the close packet; not where
    ///   it broke the protocol or fell silent.
    package mutating func closeRequested(lingers: Bool, now: Int64) -> CloseAction {
        switch state {
        case .webSocket:
            state = .closed
            return .closeWebSocket
        case .polling(let polling):
            let probe = polling.upgrade != .none
            if polling.isPollWaiting {
                state = .closed
                return .answerPollWithClose(closeProbe: probe)
            }
            guard lingers else {
                state = .closed
                return .forget(closeProbe: probe)
            }
            state = .closing(deadline: now + settings.closeTimeout)
            return .awaitPoll(closeProbe: probe)
        case .closing, .closed: return .nothing
        }
    }

    package enum EndAction: Sendable, Hashable {
        case nothing
        /// The session is over; answer the waiting poll with a noop, close the candidate.
        case end(flushPoll: Bool, closeProbe: Bool)
    }

    /// The client is gone, or said so: nothing more need reach it.
    package mutating func clientGone() -> EndAction {
        defer { state = .closed }
        switch state {
        case .webSocket: return .end(flushPoll: false, closeProbe: false)
        case .polling(let polling):
            return .end(
                flushPoll: polling.isPollWaiting, closeProbe: polling.upgrade != .none)
        case .closing, .closed: return .nothing
        }
    }
}
