/// Pings at a steady pace and the judgement that a client is gone (protocol 4 "Heartbeat").
///
/// A ping goes out each `pingInterval`, whether the last was answered or not: a client whose pong
/// is stuck behind a big upload still hears from us in time. It is gone when for
/// `pongPatience` after the first unanswered ping nothing at all came from it.
package struct Heartbeat: Sendable, Hashable {
    package let pingInterval: Int64
    package let pongPatience: Int64
    private var nextPing: Int64
    private var unansweredSince: Int64?
    private var lastHeard: Int64

    /// Times are milliseconds since any fixed moment.
    package init(pingInterval: Int64, pongPatience: Int64, now: Int64) {
        self.pingInterval = pingInterval
        self.pongPatience = pongPatience
        nextPing = now + pingInterval
        lastHeard = now
    }

    package enum Action: Sendable, Hashable { case nothing, ping, timeout }

    package var nextDeadline: Int64 {
        deadline.map { min($0, nextPing) } ?? nextPing
    }

    private var deadline: Int64? {
        unansweredSince.map { max($0, lastHeard) + pongPatience }
    }

    package mutating func receivedPong(now: Int64) {
        unansweredSince = nil
        lastHeard = now
    }

    /// Anything that came from the client is a sign of life.
    package mutating func heard(now: Int64) {
        lastHeard = now
    }

    package mutating func timePassed(now: Int64) -> Action {
        if let deadline, now >= deadline { return .timeout }
        guard now >= nextPing else { return .nothing }
        nextPing = now + pingInterval
        if unansweredSince == nil { unansweredSince = now }
        return .ping
    }
}
