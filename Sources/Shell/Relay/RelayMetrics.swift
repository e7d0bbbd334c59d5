import Synchronization

/// What the relay has done since it was made.
package struct RelayMetrics: Sendable, Hashable {
    /// Messages handed to Redis: broadcasts, requests, responses.
    package var published = 0
    /// Messages given up: Redis was away, refused or overloaded, or the message was too large.
    package var unpublished = 0
    /// Messages heard, own ones included.
    package var received = 0
    /// Broadcasts of others passed to the sockets here.
    package var delivered = 0
    /// Messages dropped: malformed, or beyond a limit.
    package var malformed = 0
    /// Requests of others carried out.
    package var requests = 0

    package init() {}
}

/// The metrics of all namespaces, from any thread.
final class RelayCounters: Sendable {
    private let metrics = Mutex(RelayMetrics())

    var current: RelayMetrics { metrics.withLock { $0 } }

    func count(_ field: WritableKeyPath<RelayMetrics, Int>) {
        metrics.withLock { $0[keyPath: field] &+= 1 }
    }
}
