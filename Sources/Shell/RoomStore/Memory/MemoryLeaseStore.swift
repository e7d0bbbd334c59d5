import NIOConcurrencyHelpers
import NIOCore

/// Leases in the memory of this process; what it fences, the given room store refuses.
package final class MemoryLeaseStore: LeaseStore {
    private let rooms: MemoryRoomStore
    private let eventLoop: any EventLoop
    private let leases = NIOLockedValueBox<[String: Lease]>([:])

    package init(fencing rooms: MemoryRoomStore, eventLoop: any EventLoop) {
        self.rooms = rooms
        self.eventLoop = eventLoop
    }

    package func renew(_ lease: Lease) -> EventLoopFuture<LeaseReply> {
        let reply: LeaseReply = leases.withLockedValue { leases in
            guard !rooms.contents.isFenced(lease.incarnation) else { return .fenced }
            leases[lease.incarnation] = lease
            return .renewed(leases.values.sorted { $0.incarnation < $1.incarnation })
        }
        return eventLoop.makeSucceededFuture(reply)
    }

    package func fence(_ incarnation: String, beat: UInt64?) -> EventLoopFuture<Bool> {
        let isFenced = leases.withLockedValue { leases in
            if let beat, leases[incarnation]?.beat != beat {
                return rooms.contents.isFenced(incarnation)
            }
            leases[incarnation] = nil
            rooms.fence(incarnation)
            return true
        }
        return eventLoop.makeSucceededFuture(isFenced)
    }

    package func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        eventLoop.makeSucceededFuture(rooms.contents.isFenced(incarnation))
    }

    package func release(_ incarnation: String) -> EventLoopFuture<Void> {
        leases.withLockedValue { $0[incarnation] = nil }
        return eventLoop.makeSucceededVoidFuture()
    }
}
