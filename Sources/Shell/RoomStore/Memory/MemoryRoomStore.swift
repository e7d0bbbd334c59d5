import NIOConcurrencyHelpers
import NIOCore
import Rooms

/// Rooms in the memory of this process: the store of an instance without Redis.
///
/// Several stores made with `init(sharing:)` stand for several instances. Answers come on the
/// caller's loop if it belongs to the group, in a later tick, never from within the call.
package final class MemoryRoomStore: SharedRoomStore {
    private struct Followed {
        let owner: Int
        let follower: any RoomFollower
    }

    private struct State {
        var rooms: MemoryRooms
        var followers: [String: [Followed]] = [:]
        var owners = 1
    }

    private final class Shared: Sendable {
        let state: NIOLockedValueBox<State>

        init(_ state: State) { self.state = NIOLockedValueBox(state) }
    }

    private let shared: Shared
    private let group: any EventLoopGroup
    private let isDurable: Bool
    private let owner: Int

    /// - Parameter isDurable: What commits say. True only where it stands in for a shared store.
    package init(
        group: any EventLoopGroup, isDurable: Bool = false, logLimits: LogLimits = LogLimits(),
        limits: RoomStoreLimits = RoomStoreLimits()
    ) {
        shared = Shared(State(rooms: MemoryRooms(logLimits: logLimits, limits: limits)))
        self.group = group
        self.isDurable = isDurable
        owner = 0
    }

    /// Another instance's view of the same rooms.
    package init(sharing other: MemoryRoomStore) {
        shared = other.shared
        group = other.group
        isDurable = other.isDurable
        owner = shared.state.withLockedValue { state in
            defer { state.owners += 1 }
            return state.owners
        }
    }

    /// Everything stored; setting it is coming back with other data.
    package var contents: MemoryRooms {
        get { shared.state.withLockedValue { $0.rooms } }
        set { shared.state.withLockedValue { $0.rooms = newValue } }
    }

    /// From now on every commit of the incarnation is refused.
    package func fence(_ incarnation: String) {
        shared.state.withLockedValue { $0.rooms.fence(incarnation) }
    }

    func room(_ name: String) -> MemoryRoom? {
        shared.state.withLockedValue { $0.rooms.room(name) }
    }

    func forget(_ room: String) { shared.state.withLockedValue { $0.rooms.forget(room) } }

    // MARK: RoomStore

    package func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        answer { $0.rooms.create(request, durable: self.isDurable) }
    }

    package func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        answer { state in
            let (outcome, entries) = try state.rooms.commit(batch, durable: self.isDurable)
            if !entries.isEmpty {
                self.notify(
                    state.followers[batch.room], .entries(entries, epoch: batch.epoch),
                    includingOwn: false)
            }
            return outcome
        }
    }

    package func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        answer { state in
            let outcome = try state.rooms.delete(batch, durable: self.isDurable)
            if case .committed = outcome {
                self.notify(
                    state.followers[batch.room], .deleted(batch.entries.last, epoch: batch.epoch),
                    includingOwn: true)
            }
            return outcome
        }
    }

    package func load(_ room: String) -> EventLoopFuture<StoredRoom?> {
        answer { $0.rooms.load(room) }
    }

    package func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        answer { $0.rooms.read(room, epoch: epoch, after: version) }
    }

    package func save(
        _ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version
    ) -> EventLoopFuture<Void> {
        answer { $0.rooms.save(checkpoint, of: room, trimBefore: trimBefore) }
    }

    package func summaries() -> EventLoopFuture<[RoomSummary]> {
        answer { $0.rooms.summaries }
    }

    package func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        answer { state in
            state.followers[room, default: []].removeAll { $0.owner == self.owner }
            state.followers[room, default: []].append(
                Followed(owner: self.owner, follower: follower))
        }
    }

    package func unfollow(_ room: String) {
        shared.state.withLockedValue { state in
            state.followers[room]?.removeAll { $0.owner == owner }
            if state.followers[room]?.isEmpty == true { state.followers[room] = nil }
        }
    }

    // MARK: SharedRoomStore

    package func heads(of rooms: [String]) -> EventLoopFuture<[StoredHead]> {
        answer { state in rooms.map { state.rooms.head(of: $0) } }
    }

    package func log(
        of room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<StoredLog?> {
        answer { $0.rooms.log(of: room, epoch: epoch, after: version) }
    }

    package func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        answer { $0.rooms.isFenced(incarnation) }
    }

    package func append(
        _ entries: [VersionedEntry], to room: String, at head: RoomPosition, summary: RoomSummary
    ) -> EventLoopFuture<ConditionalOutcome> {
        answer { state in
            let outcome = state.rooms.append(entries, to: room, at: head, summary: summary)
            if outcome == .done {
                self.notify(
                    state.followers[room], .entries(entries, epoch: head.epoch),
                    includingOwn: false)
            }
            return outcome
        }
    }

    package func restore(
        _ image: RoomImage, replacing: RoomPosition?
    ) -> EventLoopFuture<ConditionalOutcome> {
        answer { state in
            let outcome = state.rooms.restore(image, replacing: replacing)
            guard outcome == .done else { return outcome }
            let followers = state.followers[image.room]
            if let replacing, replacing.epoch != image.epoch {
                self.notify(followers, .deleted(nil, epoch: replacing.epoch), includingOwn: false)
            }
            self.notify(followers, .head(image.head, epoch: image.epoch), includingOwn: false)
            return outcome
        }
    }

    // MARK: Answers

    private func answer<Value: Sendable>(
        _ work: (inout State) throws -> Value
    ) -> EventLoopFuture<Value> {
        let result = Result { try shared.state.withLockedValue(work) }
        let loop = group.any()
        let promise = loop.makePromise(of: Value.self)
        loop.execute { promise.completeWith(result) }
        return promise.futureResult
    }

    /// Called under the lock, so that followers are told in the order of the commits.
    private func notify(_ followers: [Followed]?, _ notice: RoomNotice, includingOwn: Bool) {
        for followed in followers ?? [] where includingOwn || followed.owner != owner {
            let follower = followed.follower
            follower.eventLoop.execute { follower.received(notice) }
        }
    }
}
