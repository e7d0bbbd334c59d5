import Logging
import NIOCore
import Rooms

// The life of one reconciliation: when it begins, how it ends, who hears of it. Runs on the store's
// loop, but for what is done to whole rooms: that is done on the loop of their follower.
extension FallbackRoomStore {
    typealias Ours = Reconciliation.Ours

    /// How a room came to agree with the shared store.
    enum Agreement: Sendable, Hashable {
        case unchanged
        case behind(head: Version)
        case appended
        case restored
        /// Everything of the merge lies above what was seen here before.
        case merged(head: Version, above: Version)
        case yielded(epoch: Version)

        var hasWrittenOurs: Bool { self == .appended || self == .restored }
    }

    /// What is stored changed between look and write.
    struct Overtaken: Error {}

    /// Tries of one reconciliation that others overtake.
    static let maxAttempts = 50

    // MARK: Starting

    func startReconciling(_ room: String) { _ = reconcile(room) }

    /// Reconciles the room if the shared store is there; otherwise that happens when it is back.
    func reconcileSoon(_ room: String) {
        guard rooms.withLockedValue({ $0.mustReconcile(room) }) else { return }
        stateMayHaveChanged()
        startReconciling(room)
    }

    func reconcile(_ room: String) -> EventLoopFuture<Void> {
        reconciler.reconcile(room, perform) { [weak self] in self?.reconciliationEnded(room) }
    }

    func reconciliationEnded(_ room: String) {
        let isDue = rooms.withLockedValue { $0.isDueAgain(room) || $0.isAskedForAgain(room) }
        if isDue { startReconciling(room) }
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
            case .merged(let head, _): .replaced(head: head)
            case .yielded: .gone
            }
        let after = rooms.withLockedValue { rooms in
            rooms.counts.count(agreement)
            if case .merged(_, let version) = agreement {
                rooms.abandonLine(of: room, upTo: version)
            }
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
