/// One peer for others to read.
package struct PeerView: Sendable, Hashable {
    package let id: String
    /// Nil for an instance that has a lease and is not configured.
    package let node: ClusterNode?
    package let state: PeerState
    package let incarnation: Incarnation?
    /// Time since its lease was seen to move; nil if that never was.
    package let leaseAge: Duration?
}

extension Membership {
    package func peer(_ id: String, now: Duration) -> PeerView? {
        peers[id].map { peer in
            PeerView(
                id: id, node: peer.node, state: peer.state, incarnation: peer.incarnation,
                leaseAge: peer.leaseMovedAt.map { now - $0 })
        }
    }

    /// All known peers but ourselves, by id.
    package func allPeers(now: Duration) -> [PeerView] {
        peers.keys.sorted().compactMap { peer($0, now: now) }
    }

    /// Whether rooms can be placed on this node. For our own, `isSelfUsable` says so.
    package func isUsable(_ node: ClusterNode, isSelfUsable: Bool) -> Bool {
        node.id == own.instanceID ? isSelfUsable : peers[node.id]?.state.isUsable ?? false
    }
}
