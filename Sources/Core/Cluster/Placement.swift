import HashRing

/// Which instance a room belongs to: nginx's ring over the configured upstreams, and who lives.
package struct Placement: Sendable, Hashable {
    package let nodes: [ClusterNode]
    package let ring: HashRing

    package init(_ nodes: ClusterNodes) {
        self.nodes = nodes.nodes
        ring = HashRing(servers: nodes.nodes.map(\.server))
    }

    /// The owner if all lived: what the ring says. Nil for an empty room id.
    package func configuredOwner(of room: String) -> ClusterNode? {
        ring.owner(of: room).map { nodes[$0] }
    }

    /// The owner among the usable: the configured one, or the next on the ring as nginx goes on.
    /// Nil if nobody is usable.
    package func owner(of room: String, isUsable: (ClusterNode) -> Bool) -> ClusterNode? {
        ring.owner(of: room) { isUsable(nodes[$0]) }.map { nodes[$0] }
    }
}
