/// The judgement that a client is gone, and in revision 4 the pings that ask it (protocol
/// "Heartbeat").
///
/// Revision 4: a ping goes out each `pingInterval`, whether the last was answered or not: a client
/// whose pong is stuck behind a big upload still hears from us in time. It is gone when for
/// `pongPatience` after the first unanswered ping nothing at all came from it.
///
/// Revision 3: the client pings each `pingInterval`. It is gone when for `pingInterval` and
/// `pongPatience` nothing at all came from it.
package struct Heartbeat: Sendable, Hashable {
    package let pingInterval: Int64
    package let pongPatience: Int64
    private var pinging: Pinging
    private var lastHeard: Int64

    private enum Pinging: Sendable, Hashable {
        case byServer(next: Int64, unansweredSince: Int64?)
        case byClient
    }

    /// Times are milliseconds since any fixed moment.
    package init(
        pingInterval: Int64, pongPatience: Int64, revision: ProtocolRevision = .four, now: Int64
    ) {
        self.pingInterval = pingInterval
        self.pongPatience = pongPatience
        pinging =
            switch revision {
            case .three: .byClient
            case .four: .byServer(next: now + pingInterval, unansweredSince: nil)
            }
        lastHeard = now
    }

    package enum Action: Sendable, Hashable { case nothing, ping, timeout }

    package var nextDeadline: Int64 {
        switch pinging {
        case .byClient: lastHeard + pingInterval + pongPatience
        case .byServer(let next, let since): since.map { min(deadline($0), next) } ?? next
        }
    }

    private func deadline(_ unansweredSince: Int64) -> Int64 {
        max(unansweredSince, lastHeard) + pongPatience
    }

    package mutating func receivedPong(now: Int64) {
        if case .byServer(let next, _) = pinging {
            pinging = .byServer(next: next, unansweredSince: nil)
        }
        lastHeard = now
    }

    /// Anything that came from the client is a sign of life.
    package mutating func heard(now: Int64) {
        lastHeard = now
    }

    package mutating func timePassed(now: Int64) -> Action {
        switch pinging {
        case .byClient: return now >= nextDeadline ? .timeout : .nothing
        case .byServer(let next, let since):
            if let since, now >= deadline(since) { return .timeout }
            guard now >= next else { return .nothing }
            pinging = .byServer(next: now + pingInterval, unansweredSince: since ?? now)
            return .ping
        }
    }
}
