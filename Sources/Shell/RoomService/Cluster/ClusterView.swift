import NIOCore

/// What the room service asks of the cluster.
protocol ClusterView: Sendable {
    /// The instance to which the ring sends the room, among those alive.
    func owner(of room: String) -> (id: String, url: String)
    /// Whether an incarnation is known to be dead, found out by knocking if need be.
    func isGone(_ incarnation: String) -> EventLoopFuture<Bool>
    /// Whether an incarnation is known to be dead.
    func isKnownGone(_ incarnation: String) -> Bool
}
