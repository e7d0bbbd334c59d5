/// One lease as read from the store.
package struct PeerLease: Sendable, Hashable {
    package let incarnation: Incarnation
    /// Counts renewals: a lease whose beat moves belongs to a living process.
    package let beat: UInt64
    package let isReady: Bool
    package let isDraining: Bool

    package init(incarnation: Incarnation, beat: UInt64, isReady: Bool, isDraining: Bool) {
        self.incarnation = incarnation
        self.beat = beat
        self.isReady = isReady
        self.isDraining = isDraining
    }
}

/// What a peer is, as far as this instance knows.
package enum PeerState: String, Sendable, Hashable, CaseIterable {
    /// Configured, and never heard of.
    case unknown
    /// Alive and not ready yet; or its lease has not been seen to move.
    case joining
    case ready
    /// Ready, and without the store.
    case degraded
    /// Alive and leaving: it takes nobody in.
    case draining
    case dead

    /// Whether rooms can be placed there.
    package var isUsable: Bool { self == .ready || self == .degraded }
}

/// How this instance stands towards the store.
package enum Standing: String, Sendable, Hashable, CaseIterable {
    /// Started, and not linked yet.
    case joining
    /// The last renewal is young enough.
    case linked
    /// The store is away, for all as far as is known: go on from memory, degraded.
    case storeLost
    /// A peer is linked and we are not: stop being ready, so that clients go there.
    case isolated
}

/// The answer to a direct question to a peer.
package enum ProbeResult: Sendable, Hashable {
    /// - Parameter isLinked: the peer's standing is `.linked`.
    case alive(incarnation: Incarnation?, isReady: Bool, isDraining: Bool, isLinked: Bool)
    /// Nobody listens there.
    case refused
    /// No answer in time, or one that makes no sense.
    case silent
}

/// What the driver of `Membership` has to do.
package enum MembershipAction: Sendable, Hashable {
    /// Ask the peer directly, and report with `probed`.
    case probe(ClusterNode)
    /// Fence the incarnation in the store if its beat is still this one, and remove its members.
    /// Repeated while the lease is there.
    case declareDead(Incarnation, beat: UInt64)
    /// The instance can take rooms now.
    case peerUp(id: String)
    /// The instance can take no rooms any more.
    case peerDown(id: String)
    /// Another living process uses our instance id. Said once for each such process.
    case instanceIDTaken(Incarnation)
    case standingChanged(Standing)
}
