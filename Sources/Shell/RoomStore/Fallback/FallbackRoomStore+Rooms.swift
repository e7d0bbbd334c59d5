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
        case .shared(let generation):
            let promise = answerLoop.makePromise(of: CommitOutcome.self)
            let attempt = Attempt(
                batch: batch, deletes: deletes, round: round, generation: generation)
            let future = deletes ? shared.delete(batch) : shared.commit(batch)
            future.whenComplete { self.ended($0, attempt, promise) }
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

    /// A write on its way to the shared store.
    private struct Attempt: Sendable {
        let batch: CommitBatch
        let deletes: Bool
        let round: Int
        let generation: Int
    }

    private func ended(
        _ result: Result<CommitOutcome, any Error>, _ attempt: Attempt,
        _ promise: EventLoopPromise<CommitOutcome>
    ) {
        let batch = attempt.batch
        switch result {
        case .success(.committed(let previous, let first, _)):
            if attempt.deletes || noteCommit(attempt, previous: previous, first: first) {
                promise.completeWith(result)
            } else {
                settle(attempt).cascade(to: promise)
            }
        case .success(.noRoom) where attempt.round < Self.maxRounds:
            isHeldHere(batch.room, epoch: batch.epoch).whenSuccess { isHeld in
                guard isHeld else { return promise.completeWith(result) }
                self.writeAfterReconciling(attempt).cascade(to: promise)
            }
        case .failure(RoomStoreError.behind) where attempt.round < Self.maxRounds:
            writeAfterReconciling(attempt).cascade(to: promise)
        case .failure(RoomStoreError.unavailable), .failure(RoomStoreError.refusesWrites),
            .failure(RoomStoreError.behind):
            settle(attempt).cascade(to: promise)
        case .success, .failure: promise.completeWith(result)
        }
    }

    private func writeAfterReconciling(_ attempt: Attempt) -> EventLoopFuture<CommitOutcome> {
        let batch = attempt.batch
        return isReconciled(batch.room).flatMap { isReconciled in
            isReconciled
                ? self.write(batch, deletes: attempt.deletes, round: attempt.round + 1)
                : self.writeLocally(batch, deletes: attempt.deletes)
        }
    }

    /// Goes on after a write of which nobody knows whether the shared store has it, or still has it.
    /// In memory it is written again: its ids tell later. With the room in agreement they tell now.
    private func settle(_ attempt: Attempt) -> EventLoopFuture<CommitOutcome> {
        let batch = attempt.batch
        let isAgreed = rooms.withLockedValue { rooms in
            let mode = rooms.records[batch.room]?.mode ?? .shared
            let isNew = rooms.generation != attempt.generation
            return mode == .reconciling || (mode == .shared && isNew && rooms.availability == .full)
        }
        guard isAgreed, !attempt.deletes, attempt.round < Self.maxRounds else {
            return writeLocally(batch, deletes: attempt.deletes)
        }
        return isReconciled(batch.room).flatMap { isReconciled in
            guard isReconciled else { return self.answerLoop.makeSucceededFuture(nil) }
            return self.shared.log(of: batch.room, epoch: batch.epoch, after: batch.expected)
        }
        .flatMapErrorThrowing { _ in nil }
        .flatMap { (log: StoredLog?) in
            guard let log else { return self.writeLocally(batch, deletes: false) }
            let found = log.entries.first { $0.entry.id == batch.entries.first?.id }
            guard let found else {
                return self.write(batch, deletes: false, round: attempt.round + 1)
            }
            return self.answer {
                .committed(previous: found.previous, first: found.version, durable: true)
            }
        }
    }

    private func isReconciled(_ room: String) -> EventLoopFuture<Bool> {
        reconcile(room).map { true }.flatMapErrorThrowing { _ in false }
    }

    private func writeLocally(
        _ batch: CommitBatch, deletes: Bool
    ) -> EventLoopFuture<CommitOutcome> {
        deletes ? deleteLocally(batch) : commitLocally(batch)
    }

    /// False if the shared store may have lost it already, or the room has gone its own way.
    private func noteCommit(_ attempt: Attempt, previous: Version, first: Version) -> Bool {
        let batch = attempt.batch
        let entries = batch.versioned(from: first, after: previous)
        return rooms.withLockedValue { rooms in
            guard rooms.counts(batch.room, asOf: attempt.generation) else { return false }
            rooms.note(entries, of: batch.room, epoch: batch.epoch, summary: batch.summary)
            return true
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

    package func load(_ room: String) -> EventLoopFuture<StoredRoom?> {
        let promise = answerLoop.makePromise(of: StoredRoom?.self)
        load(room, round: 1, promise)
        return promise.futureResult
    }

    /// All decisions are made on the loop of the promise: if that is the follower's, the room cannot
    /// go its own way between the decision and the answer.
    private func load(_ room: String, round: Int, _ promise: EventLoopPromise<StoredRoom?>) {
        let again: @Sendable () -> Void = { self.load(room, round: round + 1, promise) }
        guard round <= Self.maxRounds else {
            return followersCopy(of: room).cascade(to: promise)
        }
        switch route(room, writes: false) {
        case .local:
            if rooms.withLockedValue({ $0.records[room]?.mode == .local }) {
                answer { self.rooms.withLockedValue { $0.memory.load(room) } }.cascade(to: promise)
            } else {
                copy(of: room).cascade(to: promise)
            }
        case .nowhere(let reason): promise.fail(RoomStoreError.unavailable(reason))
        case .overloaded: promise.fail(RoomStoreError.overloaded)
        case .wait(let future): future.whenComplete { _ in self.load(room, round: round, promise) }
        case .shared(let generation):
            shared.load(room).hop(to: promise.futureResult.eventLoop).whenComplete { result in
                self.loadEnded(result, room, generation, promise, again)
            }
        }
    }

    private func loadEnded(
        _ result: Result<StoredRoom?, any Error>, _ room: String, _ generation: Int,
        _ promise: EventLoopPromise<StoredRoom?>, _ again: @escaping @Sendable () -> Void
    ) {
        switch result {
        case .success(let stored?):
            let (counts, isWhole) = rooms.withLockedValue { rooms in
                let counts = rooms.counts(room, asOf: generation)
                return (counts, counts && rooms.note(stored, of: room))
            }
            if isWhole { return promise.completeWith(result) }
            // Less is stored than the follower has: that comes first.
            if counts { reconciled(room, then: again) } else { again() }
        case .success(nil):
            isHeldHere(room, epoch: nil).whenSuccess { isHeld in
                guard isHeld else { return promise.completeWith(result) }
                self.reconciled(room, then: again)
            }
        case .failure(RoomStoreError.unavailable): followersCopy(of: room).cascade(to: promise)
        case .failure: promise.completeWith(result)
        }
    }

    package func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        let promise = answerLoop.makePromise(of: LogRead.self)
        read(room, epoch, version, round: 1, promise)
        return promise.futureResult
    }

    private func read(
        _ room: String, _ epoch: Version, _ version: Version, round: Int,
        _ promise: EventLoopPromise<LogRead>
    ) {
        let again: @Sendable () -> Void = {
            self.read(room, epoch, version, round: round + 1, promise)
        }
        guard round <= Self.maxRounds else {
            return promise.fail(RoomStoreError.unavailable("the room is being reconciled"))
        }
        switch route(room, writes: false) {
        case .local: readHere(room, epoch: epoch, after: version).cascade(to: promise)
        case .nowhere(let reason): promise.fail(RoomStoreError.unavailable(reason))
        case .overloaded: promise.fail(RoomStoreError.overloaded)
        case .wait(let future):
            future.whenComplete { _ in self.read(room, epoch, version, round: round, promise) }
        case .shared(let generation):
            shared.read(room, epoch: epoch, after: version)
                .hop(to: promise.futureResult.eventLoop)
                .whenComplete { result in
                    guard self.rooms.withLockedValue({ $0.counts(room, asOf: generation) }) else {
                        return again()
                    }
                    self.readEnded(result, room, epoch, promise, again)
                }
        }
    }

    private func readEnded(
        _ result: Result<LogRead, any Error>, _ room: String, _ epoch: Version,
        _ promise: EventLoopPromise<LogRead>, _ again: @escaping @Sendable () -> Void
    ) {
        switch result {
        case .success(.entries(let entries)):
            rooms.withLockedValue { $0.note(entries, of: room, epoch: epoch) }
            promise.completeWith(result)
        case .success(.noRoom):
            isHeldHere(room, epoch: epoch).whenSuccess { isHeld in
                guard isHeld else { return promise.completeWith(result) }
                self.reconciled(room, then: again)
            }
        case .success, .failure: promise.completeWith(result)
        }
    }

    private func reconciled(_ room: String, then next: @escaping @Sendable () -> Void) {
        reconcile(room).whenComplete { _ in next() }
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

extension CommitBatch {
    /// The entries as the store has numbered them.
    func versioned(from first: Version, after previous: Version) -> [VersionedEntry] {
        var before = previous
        return entries.enumerated().map { index, entry in
            let version = first + Version(index)
            defer { before = version }
            return VersionedEntry(version: version, previous: before, entry: entry)
        }
    }
}
