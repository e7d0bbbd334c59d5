import NIOCore
import Rooms

// What a reconciliation writes to the shared store: entries, a whole room, the winners of a merge.
// Each write is conditional on what was seen.
extension FallbackRoomStore {
    func summary(
        of room: String, _ task: FallbackRooms.Task
    ) -> EventLoopFuture<RoomSummary?> {
        let known = task.room?.summary ?? rooms.withLockedValue { $0.records[room]?.summary }
        if let known { return eventLoop.makeSucceededFuture(known) }
        guard let tap = task.tap else { return eventLoop.makeSucceededFuture(nil) }
        return tap.onLoop { tap.currentCheckpoint()?.summary }
    }

    func append(
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

    func restore(
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

    /// The room as this instance has it.
    func copy(
        of room: String, _ task: FallbackRooms.Task
    ) -> EventLoopFuture<RoomState?> {
        let limits = roomLimits
        if let copy = task.room {
            return heavyWork(for: task.tap) {
                try RoomState(stored: copy.stored, id: room, limits: limits)
            }
        }
        guard let tap = rooms.withLockedValue({ $0.tap(of: room) }) else {
            return eventLoop.makeSucceededFuture(nil)
        }
        return tap.onLoop {
            try tap.currentCheckpoint().map { try RoomState(checkpoint: $0.bytes[...]) }
        }
    }

    func merge(
        _ missing: [VersionedEntry], _ copy: RoomState? = nil, since base: Version,
        into room: String, at head: Version,
        _ ours: Ours, _ task: FallbackRooms.Task
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
                    state, log: stored.entries, missing: missing,
                    of: ours.chain.filter { $0.version > base }, since: base, above: seen,
                    isFenced: ours.isFenced, copy: copy?.scene, limits: limits)
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
            return eventLoop.makeSucceededFuture(.merged(head: head.version, above: version))
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
