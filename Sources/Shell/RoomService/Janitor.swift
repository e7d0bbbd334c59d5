import Logging
import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms

/// The housekeeping of an instance: host grace, idle copies, empty rooms, members of the dead.
///
/// Every instance does all of it; commits are conditional, so what two do at once happens once.
final class Janitor: Sendable {
    /// Copies without members are kept this long, for the next to come.
    private static let idleMilliseconds: Int64 = 5_000
    /// Members of a dead instance may come back this long before they are taken off the list.
    private static let returnTime: TimeAmount = .seconds(3)
    /// The store's list is looked through every so many ticks of a second.
    private static let listTicks = 2

    private let environment: RoomEnvironment
    private let registry: RoomRegistry
    private let directory: RoomDirectory
    private let cluster: ClusterService
    private let eventLoop: any EventLoop
    private let state = NIOLockedValueBox(State())

    private struct State {
        var task: RepeatedTask?
        var ticks = 0
        var sweeping: Set<String> = []
        var missing: [String: Int] = [:]
    }

    init(
        environment: RoomEnvironment, registry: RoomRegistry, directory: RoomDirectory,
        cluster: ClusterService, eventLoop: any EventLoop
    ) {
        self.environment = environment
        self.registry = registry
        self.directory = directory
        self.cluster = cluster
        self.eventLoop = eventLoop
    }

    func start() {
        let task = eventLoop.scheduleRepeatedTask(
            initialDelay: .seconds(1), delay: .seconds(1)
        ) { _ in self.tick() }
        state.withLockedValue { $0.task = task }
    }

    func stop() {
        state.withLockedValue { state in
            state.task?.cancel()
            state.task = nil
        }
    }

    private func tick() {
        let isListTurn = state.withLockedValue { state in
            state.ticks += 1
            return state.ticks % Self.listTicks == 0
        }
        registry.forEachShard { self.look(after: $0) }
        if isListTurn { lookThroughList() }
    }

    private func look(after shard: RoomShard) {
        let now = environment.clock.nowMilliseconds
        for room in shard.liveRooms where room.control.hostID == nil && !room.links.isEmpty {
            room.submit(.checkHost(nowMilliseconds: now)) { _ in }
        }
        shard.closeIdleRooms(after: Self.idleMilliseconds)
    }

    // MARK: The list of all rooms

    private func lookThroughList() {
        guard environment.isStoreSettled() else { return }
        directory.summaries().hop(to: eventLoop).whenSuccess { summaries in
            let now = self.environment.clock.nowMilliseconds
            var holders: Set<String> = []
            for summary in summaries {
                holders.formUnion(summary.holders.keys)
                let emptyFor = now - summary.emptySince
                if summary.userCount == 0, summary.emptySince > 0,
                    emptyFor >= self.environment.options.emptyRoomMilliseconds
                {
                    self.remove(summary)
                }
            }
            for holder in self.cluster.gone(among: holders) { self.sweep(holder) }
            self.findVanished(Dictionary(summaries.map { ($0.id, $0.epoch) }) { max($0, $1) })
        }
    }

    /// A room served here that the store does not list any more: its deletion was missed.
    private func findVanished(_ listed: [String: Version]) {
        registry.forEachShard { shard in
            for room in shard.liveRooms where listed[room.id] != room.control.epoch {
                self.countMissing(room)
            }
        }
        state.withLockedValue { state in
            state.missing = state.missing.filter { listed[$0.key] == nil }
        }
    }

    private func countMissing(_ room: LiveRoom) {
        let turns = state.withLockedValue { state in
            state.missing[room.id, default: 0] += 1
            return state.missing[room.id, default: 0]
        }
        if turns >= 2 { room.reload() }
    }

    /// Removes a room that has been empty for its time, unless somebody came in meanwhile.
    private func remove(_ summary: RoomSummary) {
        let batch = CommitBatch(
            room: summary.id, epoch: summary.epoch, origin: environment.identity.incarnation,
            entries: [
                RoomEntry(id: environment.makeOperationID(), change: .deleted(by: ""))
            ],
            proposed: environment.clock.next(), expected: summary.version, conditional: true,
            summary: summary)
        environment.store.delete(batch).whenSuccess { outcome in
            guard case .committed = outcome else { return }
            self.environment.logger.debug("empty room removed", metadata: ["room": "\(summary.id)"])
        }
    }

    // MARK: The dead

    /// Takes the members that a dead incarnation held off all lists, after the time they have to
    /// come back by themselves.
    func sweep(_ incarnation: String) {
        let isNew = state.withLockedValue { $0.sweeping.insert(incarnation).inserted }
        guard isNew else { return }
        eventLoop.scheduleTask(in: Self.returnTime) {
            self.state.withLockedValue { _ = $0.sweeping.remove(incarnation) }
            self.directory.noteChange()
            self.directory.summaries().whenSuccess { summaries in
                for summary in summaries where summary.holders[incarnation] != nil {
                    self.sweep(incarnation, from: summary.id)
                }
            }
        }
    }

    private func sweep(_ incarnation: String, from room: String) {
        registry.room(room).whenSuccess { room in
            room?.submit(.sweep(holder: incarnation)) { _ in }
        }
    }
}
