import NIOCore
import Rooms

// The same in memory.
extension FallbackRoomStore {
    func commitLocally(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        withLocalCopy(of: batch.room, epoch: batch.epoch) { rooms in
            try rooms.commitLocally(batch)
        }
    }

    func createLocally(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        let future = answer {
            try self.rooms.withLockedValue { try $0.createLocally(request) }
        }
        reconcileSoon(request.room)
        return future
    }

    func deleteLocally(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        withLocalCopy(of: batch.room, epoch: batch.epoch) { rooms in
            let (outcome, tap) = try rooms.deleteLocally(batch)
            if let tap {
                tap.eventLoop.execute {
                    tap.follower.received(.deleted(batch.entries.last, epoch: batch.epoch))
                }
            }
            return outcome
        }
    }

    /// Does `work` under the lock with the room in memory, put there from the follower's copy if
    /// need be; `.noRoom` if it was deleted here.
    private func withLocalCopy(
        of room: String, epoch: Version,
        _ work: @escaping @Sendable (inout FallbackRooms) throws -> CommitOutcome
    ) -> EventLoopFuture<CommitOutcome> {
        enum Step {
            case done(Result<CommitOutcome, any Error>)
            case seed(FollowerTap)
        }
        let step: Step = rooms.withLockedValue { rooms in
            guard let record = rooms.records[room] else {
                return .done(.failure(RoomStoreError.unavailable("no copy of the room here")))
            }
            if record.mode == .local {
                return .done(Result { try work(&rooms) })
            }
            guard let tap = record.tap else {
                return .done(.failure(RoomStoreError.unavailable("no copy of the room here")))
            }
            return .seed(tap)
        }
        switch step {
        case .done(let result):
            reconcileSoon(room)
            return answer { try result.get() }
        case .seed(let tap):
            return tap.onLoop { try self.seed(room, epoch: epoch, from: tap) }.flatMap { isSeeded in
                if isSeeded { return self.withLocalCopy(of: room, epoch: epoch, work) }
                return self.reconcile(room).flatMapError { _ in
                    self.eventLoop.makeSucceededVoidFuture()
                }.flatMap { self.withLocalCopy(of: room, epoch: epoch, work) }
            }
        }
    }

    /// On the follower's loop.
    private func seed(_ room: String, epoch: Version, from tap: FollowerTap) throws -> Bool {
        guard let checkpoint = tap.currentCheckpoint(), checkpoint.epoch == epoch else {
            throw RoomStoreError.unavailable("no copy of the room here")
        }
        return rooms.withLockedValue { $0.seed(room, checkpoint) }
    }

    /// Whether a follower here has a copy of the room (of that epoch, if one is given), so that it
    /// cannot simply be gone.
    func isHeldHere(_ room: String, epoch: Version?) -> EventLoopFuture<Bool> {
        guard let tap = rooms.withLockedValue({ $0.tap(of: room) }) else {
            return eventLoop.makeSucceededFuture(false)
        }
        return tap.onLoop {
            guard let position = tap.currentPosition() else { return false }
            return epoch == nil || position.epoch == epoch
        }.flatMapErrorThrowing { _ in false }
    }

    /// The room as its follower has it; where that has no copy yet, what a store that only refuses
    /// writes has.
    func copy(of room: String) -> EventLoopFuture<StoredRoom?> {
        followersCopy(of: room).flatMapError { error in
            let isReadable = self.rooms.withLockedValue { rooms in
                if case .readOnly = rooms.availability { true } else { false }
            }
            return isReadable
                ? self.shared.load(room) : self.eventLoop.makeFailedFuture(error)
        }
    }

    func followersCopy(of room: String) -> EventLoopFuture<StoredRoom?> {
        guard let tap = rooms.withLockedValue({ $0.tap(of: room) }) else {
            return fail(.unavailable("no copy of the room here"))
        }
        return tap.onLoop {
            guard let copy = tap.currentCheckpoint() else {
                throw RoomStoreError.unavailable("no copy of the room here")
            }
            return StoredRoom(
                epoch: copy.epoch, head: copy.version, checkpoint: copy.bytes, entries: [])
        }
    }

    /// The log without the shared store. A follower that waits for an entry which nobody can give
    /// goes on from its copy.
    func readHere(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        let (tap, waits) = rooms.withLockedValue { rooms in
            (
                rooms.tap(of: room),
                rooms.hasLooseEntries(room, epoch: epoch, after: version)
            )
        }
        guard let tap, waits else { return readLocally(room, epoch: epoch, after: version) }
        let seeded = tap.onLoop {
            guard tap.currentPosition() == RoomPosition(epoch: epoch, version: version) else {
                return
            }
            _ = try self.seed(room, epoch: epoch, from: tap)
        }
        return seeded.flatMapError { _ in self.eventLoop.makeSucceededVoidFuture() }
            .flatMap { self.readLocally(room, epoch: epoch, after: version) }
    }

    private func readLocally(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        answer {
            try self.rooms.withLockedValue { rooms in
                guard let record = rooms.records[room] else {
                    throw RoomStoreError.unavailable("no copy of the room here")
                }
                if record.mode == .local {
                    return rooms.memory.read(room, epoch: epoch, after: version)
                }
                // Not committed to since the shared store went: what is remembered must do.
                guard record.epoch == epoch, let last = record.tail.lastVersion else {
                    throw RoomStoreError.unavailable("no log of the room here")
                }
                if last == version { return .entries([]) }
                let chain = record.tail.chain(to: last)
                guard let index = chain.firstIndex(where: { $0.previous == version }) else {
                    throw RoomStoreError.unavailable("no log of the room here")
                }
                return .entries(Array(chain[index...]))
            }
        }
    }
}
