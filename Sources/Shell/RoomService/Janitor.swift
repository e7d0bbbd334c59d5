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
    /// Rounds of sweeping a dead incarnation in which rooms are left to those who own or serve
    /// them.
    private static let ownersRounds = 2
    /// Empty rooms removed at one look through the list; the rest at the next.
    private static let removalsPerLook = 1_000

    private let environment: RoomEnvironment
    private let registry: RoomRegistry
    private let directory: RoomDirectory
    private let cluster: ClusterService
    private let eventLoop: any EventLoop
    private let state = NIOLockedValueBox(State())

    private struct State {
        var task: RepeatedTask?
        var ticks = 0
        /// Dead incarnations that wait to be swept.
        var sweeping: Set<String> = []
        /// How often each was swept that still holds members.
        var rounds: [String: Int] = [:]
        /// Until when, of each, its silence means that its clients have yet to notice.
        var silentUntil: [String: Int64] = [:]
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
        for room in shard.liveRooms {
            room.removeUnconnected()
            room.forgetRecent()
            if room.control.hostID == nil, !room.links.isEmpty {
                room.submit(.checkHost(nowMilliseconds: now)) { _ in }
            }
        }
        // While the store is away, or was, a copy that nobody uses may be the only one.
        if environment.isStoreSettled() { shard.closeIdleRooms(after: Self.idleMilliseconds) }
    }

    // MARK: The list of all rooms

    private func lookThroughList() {
        guard environment.isStoreSettled() else { return }
        directory.rooms().hop(to: eventLoop).whenSuccess { list in
            let due =
                self.environment.clock.nowMilliseconds
                - self.environment.options.emptyRoomMilliseconds
            for summary in list.empty(since: due).prefix(Self.removalsPerLook) {
                self.remove(summary)
            }
            let holders = list.holders
            self.forgetRounds(but: holders)
            for holder in self.cluster.gone(among: holders) { self.sweep(holder) }
            self.registry.forEachShard { self.compare($0, with: list) }
        }
    }

    /// Rooms served here that the store does not list any more (their deletion was missed), or of
    /// which it has more (the last notice was lost); rooms in which this incarnation has members
    /// and which it does not serve (they are nobody's).
    private func compare(_ shard: RoomShard, with list: RoomList) {
        for room in shard.liveRooms {
            if let summary = list[room.id], summary.epoch == room.control.epoch {
                room.timesUnlisted = 0
                room.heard(of: summary.version)
            } else {
                room.timesUnlisted += 1
                if room.timesUnlisted >= 2 { room.reload() }
            }
        }
        let own = environment.identity.incarnation
        for summary in list.rooms(with: own) {
            guard registry.shard(for: summary.id) === shard, !shard.isServing(summary.id) else {
                continue
            }
            _ = shard.open(summary.id)
        }
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
            if outcome == .fenced { self.environment.onFenced(batch.origin) }
            guard case .committed = outcome else { return }
            self.directory.noteChange()
            self.environment.logger.debug("empty room removed", metadata: ["room": "\(summary.id)"])
        }
    }

    // MARK: The dead

    /// Takes the members that a dead incarnation held off all lists, after the time they have to
    /// come back by themselves.
    func sweep(_ incarnation: String) {
        let until =
            environment.clock.elapsedMilliseconds + environment.options.silentReturnMilliseconds
        let isNew = state.withLockedValue { state in
            guard state.sweeping.insert(incarnation).inserted else { return false }
            state.silentUntil[incarnation] = state.silentUntil[incarnation] ?? until
            return true
        }
        guard isNew else { return }
        eventLoop.scheduleTask(in: Self.returnTime) { self.sweepUnlessSilent(incarnation) }
    }

    /// A process that ended has closed its connections by that, and one that woke up fenced closes
    /// them: its clients know. One that is silent, frozen or on a machine that is cut off, has not:
    /// they notice by themselves, a while later.
    private func sweepUnlessSilent(_ incarnation: String, wasSilent: Bool = false) {
        let until = state.withLockedValue { $0.silentUntil[incarnation] ?? 0 }
        guard environment.clock.elapsedMilliseconds < until else { return sweepNow(incarnation) }
        cluster.isSilent(incarnation).hop(to: eventLoop).whenSuccess { isSilent in
            if isSilent {
                self.eventLoop.scheduleTask(in: .seconds(1)) {
                    self.sweepUnlessSilent(incarnation, wasSilent: true)
                }
            } else if wasSilent {
                self.eventLoop.scheduleTask(in: Self.returnTime) { self.sweepNow(incarnation) }
            } else {
                self.sweepNow(incarnation)
            }
        }
    }

    private func sweepNow(_ incarnation: String) {
        let round = state.withLockedValue { state in
            state.sweeping.remove(incarnation)
            state.rounds[incarnation, default: 0] += 1
            return state.rounds[incarnation, default: 0]
        }
        directory.noteChange()
        directory.rooms().whenSuccess { list in
            for summary in list.rooms(with: incarnation) {
                self.sweep(incarnation, from: summary.id, round: round)
            }
        }
    }

    private func forgetRounds(but holders: Set<String>) {
        state.withLockedValue { state in
            state.rounds = state.rounds.filter { holders.contains($0.key) }
            state.silentUntil = state.silentUntil.filter {
                holders.contains($0.key) || state.sweeping.contains($0.key)
            }
        }
    }

    /// In the first rounds each room is left to the instance that the ring names, and to those who
    /// serve it: not all survivors load all rooms of the dead.
    private func sweep(_ incarnation: String, from room: String, round: Int) {
        let isOwner = cluster.owner(of: room).id == environment.identity.instanceID
        let shard = registry.shard(for: room)
        shard.eventLoop.execute {
            guard isOwner || round > Self.ownersRounds || shard.isServing(room) else { return }
            shard.open(room).whenSuccess { room in
                room?.submit(.sweep(holder: incarnation)) { _ in }
            }
        }
    }
}
