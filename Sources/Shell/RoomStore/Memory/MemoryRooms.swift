import Rooms

/// The rooms of a memory store as a value: the contract of `RoomStore` without futures, loops and
/// followers.
package struct MemoryRooms: Sendable {
    private var rooms: [String: MemoryRoom] = [:]
    private var fenced: Set<String> = []
    private var deletions: [String: Version] = [:]
    private var deletionOrder: [String] = []
    private let logLimits: LogLimits
    private let limits: RoomStoreLimits

    package init(logLimits: LogLimits = LogLimits(), limits: RoomStoreLimits = RoomStoreLimits()) {
        self.logLimits = logLimits
        self.limits = limits
    }

    package mutating func fence(_ incarnation: String) { fenced.insert(incarnation) }

    package func isFenced(_ incarnation: String) -> Bool { fenced.contains(incarnation) }

    // MARK: Writing

    mutating func create(_ request: CreateRequest, durable: Bool) -> CreateOutcome {
        if fenced.contains(request.origin) { return .fenced }
        guard rooms[request.room] == nil else { return .exists }
        let deleted = deletions[request.room] ?? 0
        let epoch = max(1, deleted + 1, min(request.proposed, VersionClock.ceiling))
        rooms[request.room] = MemoryRoom(
            epoch: epoch, entries: request.entries, summary: request.summary)
        return .created(epoch: epoch, durable: durable)
    }

    /// What a batch comes to, and the entries for followers.
    mutating func commit(
        _ batch: CommitBatch, durable: Bool
    ) throws(RoomStoreError) -> (CommitOutcome, [VersionedEntry]) {
        if let refusal = try check(batch) { return (refusal, []) }
        guard var room = rooms[batch.room] else { return (.noRoom, []) }
        let previous = room.head
        let first = Self.firstVersion(of: batch, after: previous)
        rooms[batch.room] = nil  // sole owner: appends in place
        let entries = room.append(batch.entries, from: first)
        // Of a summary that was made on another head only the version counts.
        room.setSummary(previous == batch.expected ? batch.summary : room.summary)
        rooms[batch.room] = room
        return (.committed(previous: previous, first: first, durable: durable), entries)
    }

    mutating func delete(
        _ batch: CommitBatch, durable: Bool
    ) throws(RoomStoreError) -> CommitOutcome {
        if let refusal = try check(batch) { return refusal }
        guard let room = rooms.removeValue(forKey: batch.room) else { return .noRoom }
        noteDeletion(of: batch.room, epoch: room.epoch)
        return .committed(
            previous: room.head, first: Self.firstVersion(of: batch, after: room.head),
            durable: durable)
    }

    mutating func save(_ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version) {
        rooms[room]?.save(checkpoint, trimBefore: trimBefore, limits: logLimits)
    }

    private func check(_ batch: CommitBatch) throws(RoomStoreError) -> CommitOutcome? {
        if fenced.contains(batch.origin) { return .fenced }
        guard let room = rooms[batch.room], room.epoch == batch.epoch else { return .noRoom }
        if room.head < batch.expected { throw .behind(head: room.head) }
        if batch.conditional, room.head != batch.expected { return .conflict(head: room.head) }
        return nil
    }

    private static func firstVersion(of batch: CommitBatch, after head: Version) -> Version {
        max(head + 1, min(batch.proposed, VersionClock.ceiling))
    }

    private mutating func noteDeletion(of room: String, epoch: Version) {
        if deletions.updateValue(epoch, forKey: room) == nil { deletionOrder.append(room) }
        if deletionOrder.count > limits.rememberedDeletions {
            deletions[deletionOrder.removeFirst()] = nil
        }
    }

    // MARK: Reading

    package func load(_ room: String) -> StoredRoom? { rooms[room]?.stored }

    func read(_ room: String, epoch: Version, after version: Version) -> LogRead {
        guard let room = rooms[room], room.epoch == epoch else { return .noRoom }
        return room.read(after: version)
    }

    package var summaries: [RoomSummary] { rooms.values.map(\.summary) }

    func room(_ name: String) -> MemoryRoom? { rooms[name] }

    // MARK: Bringing together

    func head(of room: String) -> StoredHead {
        StoredHead(
            position: rooms[room].map { RoomPosition(epoch: $0.epoch, version: $0.head) },
            lastID: rooms[room]?.lastID ?? "", deletedEpoch: deletions[room] ?? 0)
    }

    func log(of room: String, epoch: Version, after version: Version) -> StoredLog? {
        guard let room = rooms[room], room.epoch == epoch else { return nil }
        let entries = room.entries(after: version)
        return StoredLog(
            start: entries.first?.previous ?? room.head, head: room.head, entries: Array(entries))
    }

    mutating func append(
        _ entries: [VersionedEntry], to room: String, at head: RoomPosition, summary: RoomSummary
    ) -> ConditionalOutcome {
        guard self.head(of: room).position == head, rooms[room] != nil else { return .conflict }
        rooms[room]?.append(entries)
        rooms[room]?.setSummary(summary)
        return .done
    }

    mutating func restore(_ image: RoomImage, replacing: RoomPosition?) -> ConditionalOutcome {
        let stored = head(of: image.room)
        if stored.deletedEpoch >= image.epoch { return .deleted }
        guard stored.position == replacing else { return .conflict }
        if let replacing, replacing.epoch < image.epoch {
            noteDeletion(of: image.room, epoch: replacing.epoch)
        }
        rooms[image.room] = MemoryRoom(image)
        return .done
    }

    /// Forgets entries that the checkpoint of a room contains.
    mutating func forgetLog(of room: String, upTo version: Version) {
        rooms[room]?.forgetLog(upTo: version)
    }

    /// Forgets a room without a trace.
    mutating func forget(_ room: String) { rooms[room] = nil }
}
