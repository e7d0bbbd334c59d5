import Cluster
import Logging
import NIOCore
import NIOPosix
import RoomService
import RoomStore
import Rooms
import Secrets
import SocketIOServer

/// One process: the room service, the cluster's and the store's parts as `Instance` of the program
/// joins them, on one simulated loop.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class SimulatedInstance: @unchecked Sendable {
    let id: String
    let loop: SimulatedLoop
    let line: StoreLine
    let store: FallbackRoomStore
    let cluster: ClusterService
    let service: RoomService
    let identity: InstanceIdentity
    private(set) var hasCrashed = false
    let startedAt: Int64
    private(set) var sessions: [SimulatedSession] = []
    private let namespaces: NamespaceTable

    /// No room of a simulation has a password.
    private static let hasher = PasswordHasher(group: MultiThreadedEventLoopGroup.singleton)

    struct Parts {
        let nodes: ClusterNodes
        let redis: SimulatedRedis
        let dice: Dice
        let traps: Traps
        let limits: Limits
        /// What the machine's clock shows as the instance starts.
        let wallMilliseconds: Int64
        let probe: ClusterService.Probe
        let witness: @Sendable (SimulatedInstance, RoomChange, RoomState) -> Void
    }

    struct Limits {
        var service = RoomServiceOptions()
        var store = RoomStoreLimits()
    }

    private final class Box: @unchecked Sendable { weak var value: SimulatedInstance? }

    init(_ node: ClusterNode, _ parts: Parts) {
        let scheduler = parts.redis.loop.scheduler
        let dice = parts.dice
        id = node.id
        startedAt = scheduler.now
        let loop = SimulatedLoop(scheduler)
        self.loop = loop
        line = StoreLine(parts.redis, loop: loop, dice: dice.split(), traps: parts.traps)
        let quiet = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        let ids = dice.split()
        let pauses = dice.split()
        store = FallbackRoomStore(
            shared: line, group: loop, eventLoop: loop, limits: parts.limits.store,
            roomLimits: parts.limits.service.room,
            pauseAfter: { .milliseconds(Int64(pauses.int(0...min($0 * 5, 100)))) },
            logger: quiet)
        identity = InstanceIdentity(instanceID: node.id, makeNonce: { ids.next() })
        let start = scheduler.elapsed
        let clock = SharedClock(wallMilliseconds: parts.wallMilliseconds) {
            scheduler.elapsed - start
        }
        cluster = ClusterService(
            own: node, nodes: parts.nodes, leaseStore: line, options: MembershipOptions(),
            clock: clock, identity: identity, eventLoop: loop, logger: quiet,
            probe: parts.probe)
        namespaces = NamespaceTable(
            loops: [loop], limits: SocketLimits(), makeSocketID: { ids.token(12) }
        ) { _, loops, _ in LocalAdapter(loops: loops) }
        let box = Box()
        service = RoomService(
            options: parts.limits.service, store: store, namespace: namespaces.obtain("/"),
            cluster: cluster, hasher: Self.hasher, metrics: RoomMetrics(), eventLoops: [loop],
            isStoreSettled: { [store] in store.state.isDurable },
            witness: { [witness = parts.witness] change, state in
                if let instance = box.value { witness(instance, change, state) }
            },
            logger: quiet)
        box.value = self
        line.onChange = { [store] in store.sharedStore(is: $0) }
    }

    func start() {
        loop.perform {
            service.start()
            cluster.start { [weak self] in
                let counts = self?.service.counts
                return ClusterService.SelfReport(
                    isReady: self?.isReady ?? false, isDraining: false, rooms: counts?.rooms ?? 0,
                    users: counts?.users ?? 0)
            }
        }
        line.reconnectSoon()
    }

    /// As `Instance.unreadyReasons` is empty.
    var isReady: Bool {
        guard !hasCrashed, cluster.ownsInstanceID else { return false }
        switch cluster.standing {
        case .linked, .storeLost: return true
        case .joining, .isolated: return false
        }
    }

    func accept(_ session: SimulatedSession) {
        sessions.removeAll { !$0.isOpen }
        sessions.append(session)
        let quiet = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
        loop.perform {
            _ = SocketIOConnection(
                session, namespaces: namespaces, logger: quiet)
        }
    }

    /// The process is gone; its clients' connections break.
    func crash() {
        guard !hasCrashed else { return }
        hasCrashed = true
        service.stop()
        loop.end()
        line.disconnect("crashed")
        for session in sessions {
            session.breakOff()
            session.outside.after(.milliseconds(7)) { session.ended() }
        }
        sessions = []
    }

    /// The rooms as they are served here.
    var rooms: [RoomInspection] {
        var rooms: [RoomInspection] = []
        loop.perform { rooms = service.inspectRooms(on: loop) }
        return rooms.sorted { $0.state.control.id < $1.state.control.id }
    }
}
