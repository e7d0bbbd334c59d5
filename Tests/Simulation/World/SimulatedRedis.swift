import NIOCore
import RoomStore

/// The store's server: rooms, leases and what it has on disk.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class SimulatedRedis: @unchecked Sendable {
    struct Data {
        var rooms: MemoryRooms
        var leases: [String: Lease]
    }

    let loop: SimulatedLoop
    let base: MemoryRoomStore
    private(set) var leases: [String: Lease] = [:]
    private(set) var isDown = false
    private(set) var saved: [Data] = []
    /// When each instance has last told of itself.
    private(set) var renewals: [String: Int64] = [:]

    init(_ scheduler: Scheduler) {
        loop = SimulatedLoop(scheduler)
        base = MemoryRoomStore(group: loop, isDurable: true)
    }

    var data: Data { Data(rooms: base.contents, leases: leases) }

    func save() {
        saved.append(data)
        if saved.count > 4 { saved.removeFirst() }
    }

    func stop() { isDown = true }

    func start(with data: Data) {
        isDown = false
        base.contents = data.rooms
        leases = data.leases
    }

    // MARK: Leases

    func renew(_ lease: Lease) -> LeaseReply {
        guard !base.contents.isFenced(lease.incarnation) else { return .fenced }
        leases[lease.incarnation] = lease
        renewals[lease.instanceID] = loop.scheduler.now
        return .renewed(leases.values.sorted { $0.incarnation < $1.incarnation })
    }

    func fence(_ incarnation: String, beat: UInt64?) -> Bool {
        if let beat, leases[incarnation]?.beat != beat {
            return base.contents.isFenced(incarnation)
        }
        leases[incarnation] = nil
        base.fence(incarnation)
        return true
    }

    func release(_ incarnation: String) { leases[incarnation] = nil }
}
