import NIOCore

/// Decides whether commands may be sent and whether a connection may be tried.
///
///     closed ──connection lost──────────────▶ open(until: now)
///     closed ──K-th deadline missed in a row─▶ open(until: now + cooldown)
///     open ──beginTrial, at or after until──▶ halfOpen
///     halfOpen ──trialSucceeded─────────────▶ closed
///     halfOpen ──trialFailed────────────────▶ open(until: now)
///
/// Commands pass in `closed` only. The trial of `halfOpen` is the opening exchange of a new
/// connection, so no caller's command is spent on it. Invariant: only an answered command, never
/// a trial, ends a row of missed deadlines; a server that greets and then hangs stays open longer
/// each time.
package struct CircuitBreaker: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case closed
        case open(until: NIODeadline)
        case halfOpen
    }

    package private(set) var state: State
    private var misses = 0
    private let maxMisses: Int
    private let cooldown: TimeAmount

    /// Starts open: there is no connection yet.
    package init(maxMisses: Int, cooldown: Duration, now: NIODeadline) {
        self.maxMisses = maxMisses
        self.cooldown = TimeAmount(cooldown)
        state = .open(until: now)
    }

    package var admitsCommands: Bool { state == .closed }

    /// When a trial may begin; nil in every state but `open`.
    package var opensUntil: NIODeadline? {
        if case .open(let until) = state { return until }
        return nil
    }

    /// Enters `halfOpen` and returns true if a connection may be tried now.
    package mutating func beginTrial(at now: NIODeadline) -> Bool {
        guard case .open(let until) = state, now >= until else { return false }
        state = .halfOpen
        return true
    }

    package mutating func trialSucceeded() {
        if state == .halfOpen { state = .closed }
    }

    package mutating func trialFailed(at now: NIODeadline) {
        if state == .halfOpen { state = .open(until: now) }
    }

    package mutating func connectionLost(at now: NIODeadline) {
        if state == .closed { state = .open(until: now) }
    }

    /// A missed deadline also ends its connection: one event, one call.
    package mutating func deadlineMissed(at now: NIODeadline) {
        guard state == .closed else { return }
        misses += 1
        let isRow = misses >= maxMisses
        state = .open(until: isRow ? now + cooldown : now)
    }

    package mutating func commandAnswered() {
        misses = 0
    }
}
