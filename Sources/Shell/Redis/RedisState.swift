import NIOCore

/// What the client can do now.
package enum RedisState: Sendable, Hashable {
    /// No attempt has succeeded or failed yet, or the first subscription is not proven yet.
    case connecting
    /// Commands pass, and messages are heard.
    case ready
    /// Connected, but writes are refused or messages may be missed.
    case degraded(RedisProblem)
    /// Commands fail at once with `RedisError.unavailable`.
    case down(RedisProblem)
    case closed

    package var isReady: Bool { self == .ready }

    package var problem: RedisProblem? {
        switch self {
        case .degraded(let problem), .down(let problem): problem
        case .connecting, .ready, .closed: nil
        }
    }
}

/// What observers of a client are told, on its event loop, in order.
package enum RedisEvent: Sendable, Hashable {
    case stateChanged(RedisState)
    /// The command connection is back. `runIDChanged`: the server was started anew, or it is
    /// another one, or it does not say; it may have come back empty.
    case reconnected(runIDChanged: Bool)
    /// Messages are heard from now on; some may have been missed since `subscriptionLost`.
    case subscriptionReady
    case subscriptionLost(RedisProblem)
}

/// A look at a client from any thread; figures are at most one probe interval old.
package struct RedisStatus: Sendable, Equatable {
    package var state = RedisState.connecting
    /// Of the last health ping that was answered.
    package var latency: Duration?
    package var isSubscriptionHealthy = false
    /// When the client last heard its own probe.
    package var lastHeard: NIODeadline?
    package var server: RedisGreeting?
    /// What the server said last of keys that it drops; nil where it has not, or may not.
    package var eviction: RedisEviction?
    package var inFlightCommands = 0
    package var inFlightBytes = 0
    package var commands = 0
    package var reconnects = 0
    package var deadlineMisses = 0
    package var subscriptionsLost = 0
}
