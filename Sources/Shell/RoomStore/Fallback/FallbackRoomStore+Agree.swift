import Logging
import NIOCore
import Rooms

// How a room and what is stored of it come to agree: both are looked at, `Reconciliation` decides,
// and what was overtaken by others is looked at again.
extension FallbackRoomStore {
    func agree(
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

    func pause(_ attempt: Int) -> EventLoopFuture<Void> {
        eventLoop.scheduleTask(in: pauseAfter(attempt)) {}.futureResult
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
                ours.isFenced = local.isFenced || fenced.contains(true)
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

    func followedSide(of room: String, at position: RoomPosition) -> Ours {
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
        case .merge(let missing, let since, let head):
            merge(missing, since: since, into: room, at: head, ours, task)
        case .mergeWhole(let missing, let since, let head):
            copy(of: room, task).flatMap {
                self.merge(missing, $0, since: since, into: room, at: head, ours, task)
            }
        }
    }
}
