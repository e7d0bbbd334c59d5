import Logging
import NIOCore
import Rooms

// Carries out what `Reconciliation` decides. Runs on the store's loop, but for what is done to
// whole rooms: that is done on the loop of their follower.
extension FallbackRoomStore {
    typealias Ours = Reconciliation.Ours

    /// How a room came to agree with the shared store.
    enum Agreement: Sendable, Hashable {
        case unchanged
        case behind(head: Version)
        case appended
        case restored
        case merged(head: Version)
        case yielded(epoch: Version)

        fileprivate var hasWrittenOurs: Bool { self == .appended || self == .restored }
    }

    /// What is stored changed between look and write.
    private struct Overtaken: Error {}

    /// Tries of one reconciliation that others overtake.
    private static let maxAttempts = 50

    // MARK: Starting

    func startReconciling(_ room: String) { _ = reconcile(room) }

    /// Reconciles the room if the shared store is there; otherwise that happens when it is back.
    func reconcileSoon(_ room: String) {
        guard rooms.withLockedValue({ $0.mustReconcile(room) }) else { return }
        stateMayHaveChanged()
        startReconciling(room)
    }

    func reconcile(_ room: String) -> EventLoopFuture<Void> {
        reconciler.reconcile(room, perform) { [weak self] in
            guard let self, self.rooms.withLockedValue({ $0.isDueAgain(room) }) else { return }
            self.startReconciling(room)
        }
    }

    private func perform(_ room: String) -> EventLoopFuture<Void> {
        guard let task = rooms.withLockedValue({ $0.begin(room) }) else {
            settled(room)
            return eventLoop.makeSucceededVoidFuture()
        }
        let barred =
            (shared as? any HoldableRoomStore)?.barLateCommits(to: room, epoch: task.epoch)
        return (barred ?? eventLoop.makeSucceededVoidFuture())
            .flatMap { self.settleDeletion(of: room, task, attempt: 1) }
            .flatMap { self.agree(on: room, task, attempt: 1) }
            .always { _ in (self.shared as? any HoldableRoomStore)?.release(room) }
            .hop(to: eventLoop)
            .flatMap { self.finish(room, task, $0) }
            .flatMapErrorThrowing { error in
                self.failed(room, error)
                throw error
            }
    }

    private func settled(_ room: String) {
        rooms.withLockedValue { $0.isReconciled(room) }
        stateMayHaveChanged()
    }

    // MARK: Ending

    private func finish(
        _ room: String, _ task: FallbackRooms.Task, _ agreement: Agreement
    ) -> EventLoopFuture<Void> {
        guard let tap = rooms.withLockedValue({ $0.tap(of: room) }) else {
            _ = end(room, task, agreement, tap: nil)
            return eventLoop.makeSucceededVoidFuture()
        }
        return tap.onLoop { self.end(room, task, agreement, tap: tap) }
            .hop(to: eventLoop)
            .flatMap { hasMissedNotices in
                hasMissedNotices
                    ? self.lookAgain(room, task.epoch, tap)
                    : self.eventLoop.makeSucceededVoidFuture()
            }
    }

    /// On the follower's loop: from here on the room is the shared store's, then the follower hears
    /// what it must, then those who waited go on.
    private func end(
        _ room: String, _ task: FallbackRooms.Task, _ agreement: Agreement, tap: FollowerTap?
    ) -> Bool {
        let resumption: Resumption =
            switch agreement {
            case .unchanged, .behind, .appended, .restored: .again
            case .merged(let head): .replaced(head: head)
            case .yielded: .gone
            }
        let after = rooms.withLockedValue { rooms in
            rooms.counts.count(agreement)
            let after = rooms.end(room, .done(resumption))
            // Doubted meanwhile: it is compared once more, if there is still something to compare.
            if !rooms.isDueAgain(room) { rooms.isReconciled(room) }
            return after
        }
        switch agreement {
        case .unchanged, .appended, .restored: break
        case .behind(let head): tap?.follower.received(.head(head, epoch: task.epoch))
        case .merged: tap?.follower.received(.replaced)
        case .yielded(let epoch): tap?.follower.received(.deleted(nil, epoch: epoch))
        }
        for promise in after.waiting { promise.succeed(resumption) }
        if agreement != .unchanged {
            logger.debug("room reconciled", metadata: ["room": "\(room)", "how": "\(agreement)"])
        }
        stateMayHaveChanged()
        return after.hasMissedNotices
    }

    /// What the follower was not told of meanwhile is looked up.
    private func lookAgain(
        _ room: String, _ epoch: Version, _ tap: FollowerTap
    ) -> EventLoopFuture<Void> {
        shared.heads(of: [room]).flatMap { heads in
            guard let head = heads.first?.position, head.epoch == epoch else {
                self.rooms.withLockedValue { $0.doubt(room) }
                return self.eventLoop.makeSucceededVoidFuture()
            }
            return tap.onLoop { tap.received(.head(head.version, epoch: epoch)) }
        }.flatMapError { _ in
            self.rooms.withLockedValue { $0.doubt(room) }
            return self.eventLoop.makeSucceededVoidFuture()
        }
    }

    private func failed(_ room: String, _ error: any Error) {
        let (after, isAvailable) = rooms.withLockedValue { rooms in
            rooms.counts.failures += 1
            let after = rooms.end(room, .failed)
            return (after, rooms.mustReconcile(room))
        }
        for promise in after.waiting { promise.succeed(.again) }
        guard isAvailable else { return }
        logger.warning(
            "room not reconciled yet", metadata: ["room": "\(room)", "error": "\(error)"])
        let wait = limits.reconcileRetry * (1 << min(after.failures, 5))
        eventLoop.scheduleTask(in: TimeAmount(wait)) { self.reconcileSoon(room) }
    }

    // MARK: Deletions

    private func settleDeletion(
        of room: String, _ task: FallbackRooms.Task, attempt: Int
    ) -> EventLoopFuture<Void> {
        guard let deletion = task.deletion else { return eventLoop.makeSucceededVoidFuture() }
        let log = shared.log(of: room, epoch: deletion.epoch, after: deletion.base)
        return log.flatMap { log -> EventLoopFuture<CommitOutcome?> in
            guard let log else { return self.eventLoop.makeSucceededFuture(nil) }
            guard Reconciliation.carriesOut(deletion, on: log) else {
                self.rooms.withLockedValue { $0.counts.keptRooms += 1 }
                return self.eventLoop.makeSucceededFuture(nil)
            }
            return self.shared.delete(deletion.batch(room, at: log.head)).map { $0 }
        }.flatMap { outcome in
            if case .conflict = outcome, attempt < Self.maxAttempts {
                return self.pause(attempt).flatMap {
                    self.settleDeletion(of: room, task, attempt: attempt + 1)
                }
            }
            self.rooms.withLockedValue { $0.deletionSettled(room) }
            return self.eventLoop.makeSucceededVoidFuture()
        }
    }

    // MARK: Agreeing

    private func agree(
        on room: String, _ task: FallbackRooms.Task, attempt: Int
    ) -> EventLoopFuture<Agreement> {
        ourSide(of: room, task).flatMap { ours in
            guard let ours else { return self.eventLoop.makeSucceededFuture(.unchanged) }
            return self.agree(on: room, task, ours).flatMap { agreement in
                // What was loose is not in what has just been written.
                guard agreement.hasWrittenOurs, !ours.loose.isEmpty, attempt < Self.maxAttempts
                else { return self.eventLoop.makeSucceededFuture(agreement) }
                return self.agree(on: room, task, attempt: attempt + 1)
            }
        }.flatMapError { error in
            guard error is Overtaken, attempt < Self.maxAttempts else {
                return self.eventLoop.makeFailedFuture(error)
            }
            return self.pause(attempt).flatMap { self.hold(room, task, attempt) }
                .flatMap { self.agree(on: room, task, attempt: attempt + 1) }
        }
    }

    /// Tries that may be overtaken before others are asked to wait.
    private static let freeAttempts = 2

    /// Asks the others to wait a moment with the room, once it has shown that they do not by
    /// themselves.
    private func hold(
        _ room: String, _ task: FallbackRooms.Task, _ attempt: Int
    ) -> EventLoopFuture<Void> {
        guard attempt >= Self.freeAttempts, let store = shared as? any HoldableRoomStore else {
            return eventLoop.makeSucceededVoidFuture()
        }
        return store.hold(room, epoch: task.epoch)
    }

    private func agree(
        on room: String, _ task: FallbackRooms.Task, _ ours: Ours
    ) -> EventLoopFuture<Agreement> {
        shared.heads(of: [room]).flatMap { heads in
            guard let head = heads.first else {
                return self.eventLoop.makeFailedFuture(RoomStoreError.corrupted("heads"))
            }
            let step = Reconciliation.compare(ours, with: head)
            return self.carryOut(step, room, ours, task, lastID: head.lastID)
        }
    }

    private func pause(_ attempt: Int) -> EventLoopFuture<Void> {
        let milliseconds = Int64.random(in: 0...Int64(min(attempt * 5, 100)))
        return eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {}.futureResult
    }

    /// Nil if there is nothing to compare.
    private func ourSide(
        of room: String, _ task: FallbackRooms.Task
    ) -> EventLoopFuture<Ours?> {
        if let local = task.local, let copy = task.room {
            let ours = Ours(
                position: RoomPosition(epoch: copy.epoch, version: copy.head), chain: copy.log,
                base: local.base)
            let fences = local.origins.map { shared.isFenced($0) }
            return EventLoopFuture.whenAllSucceed(fences, on: eventLoop).map { fenced in
                var ours = ours
                ours.isFenced = fenced.contains(true)
                return ours
            }
        }
        guard let tap = rooms.withLockedValue({ $0.tap(of: room) }) else {
            return eventLoop.makeSucceededFuture(nil)
        }
        return tap.onLoop { tap.currentPosition() }.map { position in
            position.map { self.followedSide(of: room, at: $0) }
        }
    }

    private func followedSide(of room: String, at position: RoomPosition) -> Ours {
        rooms.withLockedValue { rooms in
            var ours = Ours(position: position, chain: [], base: position.version)
            if let record = rooms.records[room], record.epoch == position.epoch {
                ours.chain = record.tail.chain(to: position.version)
                ours.loose = record.tail.beyond(position.version)
            }
            return ours
        }
    }

    private func carryOut(
        _ step: Reconciliation.FirstStep, _ room: String, _ ours: Ours, _ task: FallbackRooms.Task,
        lastID: String
    ) -> EventLoopFuture<Agreement> {
        logger.trace(
            "comparing heads",
            metadata: ["room": "\(room)", "ours": "\(ours)", "step": "\(step)"])
        switch step {
        case .inStep: return eventLoop.makeSucceededFuture(.unchanged)
        case .yield: return eventLoop.makeSucceededFuture(.yielded(epoch: ours.position.epoch))
        case .restore(let replacing): return restore(room, ours, task, replacing: replacing)
        case .compareLogs(let version):
            let log = shared.log(of: room, epoch: ours.position.epoch, after: version)
            return log.flatMap { log in
                guard let log else { return self.eventLoop.makeFailedFuture(Overtaken()) }
                let plan = Reconciliation.compare(ours, with: log, lastID: lastID)
                return self.carryOut(plan, room, ours, task)
            }
        }
    }

    private func carryOut(
        _ plan: Reconciliation.Plan, _ room: String, _ ours: Ours, _ task: FallbackRooms.Task
    ) -> EventLoopFuture<Agreement> {
        logger.trace(
            "comparing logs",
            metadata: ["room": "\(room)", "ours": "\(ours)", "plan": "\(plan)"])
        return switch plan {
        case .inStep: eventLoop.makeSucceededFuture(.unchanged)
        case .follow(let head): eventLoop.makeSucceededFuture(.behind(head: head))
        case .restore(let replacing): restore(room, ours, task, replacing: replacing)
        case .append(let entries, let head):
            summary(of: room, task).flatMap { summary in
                guard let summary else {
                    return self.restore(room, ours, task, replacing: head)
                }
                return self.append(entries[...], to: room, at: head, summary)
            }
        case .merge(let missing, let head): merge(missing, into: room, at: head, ours, task)
        }
    }

    // MARK: Writing

    private func summary(
        of room: String, _ task: FallbackRooms.Task
    ) -> EventLoopFuture<RoomSummary?> {
        let known = task.room?.summary ?? rooms.withLockedValue { $0.records[room]?.summary }
        if let known { return eventLoop.makeSucceededFuture(known) }
        guard let tap = task.tap else { return eventLoop.makeSucceededFuture(nil) }
        return tap.onLoop { tap.currentCheckpoint()?.summary }
    }

    private func append(
        _ entries: ArraySlice<VersionedEntry>, to room: String, at head: RoomPosition,
        _ summary: RoomSummary
    ) -> EventLoopFuture<Agreement> {
        guard let first = entries.first else { return eventLoop.makeSucceededFuture(.appended) }
        var chunk = [first]
        var bytes = first.entry.approximateBytes
        for entry in entries.dropFirst() {
            bytes += entry.entry.approximateBytes
            if bytes > limits.appendBytes { break }
            chunk.append(entry)
        }
        let rest = entries.dropFirst(chunk.count)
        let next = RoomPosition(
            epoch: head.epoch, version: chunk.last?.version ?? head.version)
        return shared.append(chunk, to: room, at: head, summary: summary).flatMap { outcome in
            guard outcome == .done else { return self.eventLoop.makeFailedFuture(Overtaken()) }
            return self.append(rest, to: room, at: next, summary)
        }
    }

    private func restore(
        _ room: String, _ ours: Ours, _ task: FallbackRooms.Task, replacing: RoomPosition?
    ) -> EventLoopFuture<Agreement> {
        image(of: room, task).flatMap { image in
            guard let image else { return self.eventLoop.makeFailedFuture(Overtaken()) }
            return self.shared.restore(image, replacing: replacing).flatMap { outcome in
                switch outcome {
                case .done: self.eventLoop.makeSucceededFuture(.restored)
                case .conflict: self.eventLoop.makeFailedFuture(Overtaken())
                case .deleted:
                    self.eventLoop.makeSucceededFuture(.yielded(epoch: ours.position.epoch))
                }
            }
        }
    }

    /// The room as this instance has it, with as much of the log as is at hand.
    private func image(
        of room: String, _ task: FallbackRooms.Task
    ) -> EventLoopFuture<RoomImage?> {
        let maxBytes = limits.appendBytes
        let roomLimits = roomLimits
        if let copy = task.room {
            return heavyWork(for: task.tap) {
                try copy.image(of: room, logBytes: maxBytes, limits: roomLimits)
            }
        }
        guard let tap = rooms.withLockedValue({ $0.tap(of: room) }) else {
            return eventLoop.makeSucceededFuture(nil)
        }
        return tap.onLoop {
            guard let checkpoint = tap.currentCheckpoint() else { return nil }
            let position = RoomPosition(epoch: checkpoint.epoch, version: checkpoint.version)
            return RoomImage(
                room: room, checkpoint: checkpoint,
                log: self.followedSide(of: room, at: position).chain, summary: checkpoint.summary)
        }
    }

    private func merge(
        _ missing: [VersionedEntry], into room: String, at head: Version, _ ours: Ours,
        _ task: FallbackRooms.Task
    ) -> EventLoopFuture<Agreement> {
        let limits = roomLimits
        let seen = rooms.withLockedValue { rooms in
            max(ours.position.version, rooms.highest(of: room, epoch: ours.position.epoch))
        }
        return shared.load(room).flatMap { stored in
            guard let stored, stored.head == head, stored.epoch == ours.position.epoch else {
                return self.eventLoop.makeFailedFuture(Overtaken())
            }
            let merged = self.heavyWork(for: task.tap) {
                let state = try RoomState(stored: stored, id: room, limits: limits)
                return RoomMerge(
                    state, missing: missing, above: seen,
                    isFenced: ours.isFenced, limits: limits)
            }
            return merged.flatMap { merged in
                self.commit(
                    merged.entries[...], to: room,
                    at: RoomPosition(epoch: stored.epoch, version: head),
                    above: seen, RoomSummary(merged.control))
            }
        }
    }

    /// Appends the winners of a merge; gives the new head.
    private func commit(
        _ entries: ArraySlice<RoomEntry>, to room: String, at head: RoomPosition,
        above version: Version, _ summary: RoomSummary
    ) -> EventLoopFuture<Agreement> {
        guard let first = entries.first else {
            return eventLoop.makeSucceededFuture(.merged(head: head.version))
        }
        var chunk = [first]
        var bytes = first.approximateBytes
        for entry in entries.dropFirst() {
            bytes += entry.approximateBytes
            if bytes > limits.appendBytes { break }
            chunk.append(entry)
        }
        let rest = entries.dropFirst(chunk.count)
        let batch = CommitBatch(
            room: room, epoch: head.epoch, origin: "", entries: chunk, proposed: version + 1,
            expected: head.version, conditional: true, summary: summary)
        let count = Version(chunk.count)
        return shared.commit(batch).flatMap { outcome in
            guard case .committed(let previous, let first, _) = outcome else {
                return self.eventLoop.makeFailedFuture(Overtaken())
            }
            self.rooms.withLockedValue {
                $0.note(batch.versioned(from: first, after: previous), of: room, epoch: head.epoch)
            }
            let next = RoomPosition(epoch: head.epoch, version: first + count - 1)
            return self.commit(rest, to: room, at: next, above: version, summary)
        }
    }

    private func heavyWork<Value: Sendable>(
        for tap: FollowerTap?, _ work: @escaping @Sendable () throws -> Value
    ) -> EventLoopFuture<Value> {
        (tap?.eventLoop ?? group.next()).submit(work)
    }
}

extension Reconciliation.Deletion {
    fileprivate func batch(_ room: String, at head: Version) -> CommitBatch {
        CommitBatch(
            room: room, epoch: epoch, origin: "",
            entries: [RoomEntry(id: "deleted-\(epoch)", change: .deleted(by: ""))],
            proposed: head + 1, expected: head, conditional: true,
            summary: RoomSummary(RoomControl(id: room, epoch: epoch)))
    }
}

extension RoomState {
    init(stored: StoredRoom, id: String, limits: RoomLimits) throws {
        if let checkpoint = stored.checkpoint {
            try self.init(checkpoint: checkpoint[...])
        } else {
            self.init(id: id, epoch: stored.epoch)
        }
        for entry in stored.entries { fold(entry, limits: limits) }
    }
}

extension MemoryRoom {
    /// The room folded to a checkpoint at its head, with the last of its log.
    fileprivate func image(
        of room: String, logBytes: Int, limits: RoomLimits
    ) throws -> RoomImage {
        let state = try RoomState(stored: stored, id: room, limits: limits)
        let checkpoint = RoomCheckpoint(
            epoch: epoch, version: head, bytes: state.checkpoint(), summary: summary)
        var bytes = 0
        let kept = log.reversed().prefix { entry in
            bytes += entry.entry.approximateBytes
            return bytes <= logBytes
        }
        return RoomImage(
            room: room, checkpoint: checkpoint, log: kept.reversed(), summary: summary)
    }
}

extension FallbackCounts {
    fileprivate mutating func count(_ agreement: FallbackRoomStore.Agreement) {
        switch agreement {
        case .unchanged, .behind: unchangedRooms += 1
        case .appended: appendedRooms += 1
        case .restored: restoredRooms += 1
        case .merged: mergedRooms += 1
        case .yielded: yieldedRooms += 1
        }
    }
}
