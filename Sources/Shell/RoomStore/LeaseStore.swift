import NIOCore
import Rooms

/// One living instance as it describes itself, renewed each heartbeat.
///
/// `beat` counts renewals. Whether a lease is fresh is for each observer to judge by its own
/// monotonic clock: a beat that has not changed for the lease time is a dead one. No wall clock
/// takes part, so a clock that jumps kills nobody.
package struct Lease: Sendable, Hashable {
    package var incarnation: String
    package var instanceID: String
    package var publicURL: String
    package var beat: UInt64
    package var isReady: Bool
    package var isDraining: Bool
    /// The instance's version clock, so that all run together.
    package var clock: Version
    package var rooms: Int
    package var users: Int

    package init(
        incarnation: String, instanceID: String, publicURL: String, beat: UInt64, isReady: Bool,
        isDraining: Bool, clock: Version, rooms: Int, users: Int
    ) {
        self.incarnation = incarnation
        self.instanceID = instanceID
        self.publicURL = publicURL
        self.beat = beat
        self.isReady = isReady
        self.isDraining = isDraining
        self.clock = clock
        self.rooms = rooms
        self.users = users
    }
}

/// Where instances meet.
///
/// There is no local stand-in for times without the shared store: a future that fails is how an
/// instance learns that it stands alone.
package protocol LeaseStore: Sendable {
    /// Writes the own lease and reads all (own included), in one step. A fenced incarnation writes
    /// nothing.
    func renew(_ lease: Lease) -> EventLoopFuture<LeaseReply>
    /// Fences the incarnation and removes its lease, if its beat is still `beat` (nil: whatever it
    /// is, or if it has no lease). From then on every commit of it is refused. Answers whether it
    /// is fenced, now or before.
    func fence(_ incarnation: String, beat: UInt64?) -> EventLoopFuture<Bool>
    /// Whether the incarnation is fenced, by whichever instance.
    func isFenced(_ incarnation: String) -> EventLoopFuture<Bool>
    /// Removes the own lease on an orderly exit.
    func release(_ incarnation: String) -> EventLoopFuture<Void>
}

package enum LeaseReply: Sendable, Hashable {
    case renewed([Lease])
    case fenced
}
