import NIOCore
import Rooms

// The operations. Each is routed, and routed again after it had to wait.
extension FallbackRoomStore {
    /// Rounds of reconciling and trying again before an operation fails.
    private static let maxRounds = 4

    private func route(_ room: String, writes: Bool) -> FallbackRooms.Route {
        let loop = answerLoop
        return rooms.withLockedValue { $0.route(room, writes: writes, on: loop) }
    }

    // MARK: Writing

    package func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        write(batch, deletes: false, round: 1)
    }

    package func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        write(batch, deletes: true, round: 1)
    }

    private func write(
        _ batch: CommitBatch, deletes: Bool, round: Int
    ) -> EventLoopFuture<CommitOutcome> {
        switch route(batch.room, writes: true) {
        case .shared:
            let promise = answerLoop.makePromise(of: CommitOutcome.self)
            let future = deletes ? shared.delete(batch) : shared.commit(batch)
            future.whenComplete { self.ended($0, batch, deletes: deletes, round: round, promise) }
            return promise.futureResult
        case .local: return writeLocally(batch, deletes: deletes)
        case .nowhere(let reason): return fail(.unavailable(reason))
        case .overloaded: return fail(.overloaded)
        case .wait(let future):
            return future.flatMap { resumption in
                switch resumption {
                case .again: return self.write(batch, deletes: deletes, round: round)
                case .replaced(let head): return self.answer { .conflict(head: head) }
                case .gone: return self.answer { .noRoom }
                }
            }
        }
    }

    private func ended(
        _ result: Result<CommitOutcome, any Error>, _ batch: CommitBatch, deletes: Bool,
        round: Int, _ promise: EventLoopPromise<CommitOutcome>
    ) {
        let again: @Sendable () -> Void = {
            self.reconcile(batch.room).whenComplete { _ in
                self.write(batch, deletes: deletes, round: round + 1).cascade(to: promise)
            }
        }
        switch result {
        case .success(.committed(let previous, let first, _)):
            if !deletes { noteCommit(batch, previous: previous, first: first) }
            promise.completeWith(result)
        case .success(.noRoom) where round < Self.maxRounds:
            isHeldHere(batch.room, epoch: batch.epoch).whenSuccess { isHeld in
                if isHeld { again() } else { promise.completeWith(result) }
            }
        case .failure(RoomStoreError.behind) where round < Self.maxRounds: again()
        case .failure(RoomStoreError.unavailable), .failure(RoomStoreError.refusesWrites):
            writeLocally(batch, deletes: deletes).cascade(to: promise)
        case .success, .failure: promise.completeWith(result)
        }
    }

    private func writeLocally(
        _ batch: CommitBatch, deletes: Bool
    ) -> EventLoopFuture<CommitOutcome> {
        deletes ? deleteLocally(batch) : commitLocally(batch)
    }

    private func noteCommit(_ batch: CommitBatch, previous: Version, first: Version) {
        var before = previous
        let entries = batch.entries.enumerated().map { index, entry in
            let version = first + Version(index)
            defer { before = version }
            return VersionedEntry(version: version, previous: before, entry: entry)
        }
        rooms.withLockedValue {
            $0.note(entries, of: batch.room, epoch: batch.epoch, summary: batch.summary)
        }
    }

    package func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        switch route(request.room, writes: true) {
        case .shared:
            let promise = answerLoop.makePromise(of: CreateOutcome.self)
            shared.create(request).whenComplete { result in
                switch result {
                case .success(.created(let epoch, _)):
                    self.noteCreation(request, epoch: epoch)
                    promise.completeWith(result)
                case .failure(RoomStoreError.unavailable), .failure(RoomStoreError.refusesWrites):
                    self.createLocally(request).cascade(to: promise)
                default: promise.completeWith(result)
                }
            }
            return promise.futureResult
        case .local, .nowhere: return createLocally(request)
        case .overloaded: return fail(.overloaded)
        case .wait(let future): return future.flatMap { _ in self.create(request) }
        }
    }

    private func noteCreation(_ request: CreateRequest, epoch: Version) {
        var before: Version = 0
        let entries = request.entries.enumerated().map { index, entry in
            let version = epoch + Version(index)
            defer { before = version }
            return VersionedEntry(version: version, previous: before, entry: entry)
        }
        rooms.withLockedValue {
            $0.note(entries, of: request.room, epoch: epoch, summary: request.summary)
        }
    }

    package func save(
        _ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version
    ) -> EventLoopFuture<Void> {
        // What is held for the shared store is neither trimmed nor written twice.
        guard case .shared = route(room, writes: true) else { return answer {} }
        return shared.save(checkpoint, of: room, trimBefore: trimBefore)
    }

    // MARK: Reading

    package func load(_ room: String) -> EventLoopFuture<StoredRoom?> { load(room, round: 1) }

    private func load(_ room: String, round: Int) -> EventLoopFuture<StoredRoom?> {
        switch route(room, writes: false) {
        case .local:
            if rooms.withLockedValue({ $0.records[room]?.mode == .local }) {
                return answer { self.rooms.withLockedValue { $0.memory.load(room) } }
            }
            return followersCopy(of: room)
        case .nowhere(let reason): return fail(.unavailable(reason))
        case .overloaded: return fail(.overloaded)
        case .wait(let future): return future.flatMap { _ in self.load(room, round: round) }
        case .shared: break
        }
        let promise = answerLoop.makePromise(of: StoredRoom?.self)
        shared.load(room).whenComplete { result in
            switch result {
            case .success(let stored?):
                self.rooms.withLockedValue {
                    $0.note(stored.entries, of: room, epoch: stored.epoch)
                }
                promise.completeWith(result)
            case .success(nil):
                self.isHeldHere(room, epoch: nil).whenSuccess { isHeld in
                    guard isHeld, round < Self.maxRounds else {
                        return promise.completeWith(result)
                    }
                    self.reconcile(room).whenComplete { _ in
                        self.load(room, round: round + 1).cascade(to: promise)
                    }
                }
            case .failure(RoomStoreError.unavailable):
                self.followersCopy(of: room).cascade(to: promise)
            case .failure: promise.completeWith(result)
            }
        }
        return promise.futureResult
    }

    package func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        read(room, epoch: epoch, after: version, round: 1)
    }

    private func read(
        _ room: String, epoch: Version, after version: Version, round: Int
    ) -> EventLoopFuture<LogRead> {
        switch route(room, writes: false) {
        case .local: return readLocally(room, epoch: epoch, after: version)
        case .nowhere(let reason): return fail(.unavailable(reason))
        case .overloaded: return fail(.overloaded)
        case .wait(let future):
            return future.flatMap { _ in
                self.read(room, epoch: epoch, after: version, round: round)
            }
        case .shared: break
        }
        let promise = answerLoop.makePromise(of: LogRead.self)
        shared.read(room, epoch: epoch, after: version).whenComplete { result in
            switch result {
            case .success(.entries(let entries)):
                self.rooms.withLockedValue { $0.note(entries, of: room, epoch: epoch) }
                promise.completeWith(result)
            case .success(.noRoom):
                self.isHeldHere(room, epoch: epoch).whenSuccess { isHeld in
                    guard isHeld, round < Self.maxRounds else {
                        return promise.completeWith(result)
                    }
                    self.reconcile(room).whenComplete { _ in
                        self.read(room, epoch: epoch, after: version, round: round + 1)
                            .cascade(to: promise)
                    }
                }
            default: promise.completeWith(result)
            }
        }
        return promise.futureResult
    }

    package func summaries() -> EventLoopFuture<[RoomSummary]> {
        switch route("", writes: false) {
        case .wait(let future): return future.flatMap { _ in self.summaries() }
        case .shared: break
        default: return answer { self.rooms.withLockedValue { $0.summaries(stored: nil) } }
        }
        return shared.summaries()
            .map { stored in
                self.rooms.withLockedValue { rooms in
                    rooms.listed = Dictionary(stored.map { ($0.id, $0) }) { $1 }
                    return rooms.summaries(stored: stored)
                }
            }
            .flatMapErrorThrowing { _ in
                self.rooms.withLockedValue { $0.summaries(stored: nil) }
            }
    }
}
