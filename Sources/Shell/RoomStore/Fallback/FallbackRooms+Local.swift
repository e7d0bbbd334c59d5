import NIOCore
import Rooms

// Commits in memory, and what is remembered of those that went to the shared store.
extension FallbackRooms {
    // MARK: Passing through

    /// Remembers what the follower of a room gets to see.
    mutating func note(
        _ entries: some BidirectionalCollection<VersionedEntry>, of room: String, epoch: Version,
        summary: RoomSummary? = nil
    ) {
        guard var record = takeRecord(room) else { return }
        if record.epoch != epoch {
            tailBytes -= record.tail.bytes
            record.tail = RoomTail()
            record.epoch = epoch
            record.highest = 0
        }
        record.highest = max(record.highest, entries.last?.version ?? 0)
        tailBytes -= record.tail.bytes
        record.tail.note(entries, limits: limits)
        if tailBytes + record.tail.bytes > limits.tailTotalBytes {
            record.tail.trim(toBytes: limits.tailBytes, entries: 1)
        }
        tailBytes += record.tail.bytes
        record.usedAt = nextUse()
        if let summary {
            record.summary = summary
            record.summary?.epoch = epoch
            record.summary?.version = entries.last?.version ?? summary.version
        }
        put(record, for: room)
    }

    /// Whether what the shared store answered still counts: it may have been overtaken by a new
    /// connection, or the room by going its own way.
    func counts(_ room: String, asOf generation: Int) -> Bool {
        (records[room]?.mode ?? .shared) == .shared && self.generation == generation
    }

    /// Takes note of a room as it was read. False if it lies behind what has passed through here:
    /// the shared store has lost something, and nobody may be shown that.
    mutating func note(_ stored: StoredRoom, of room: String) -> Bool {
        guard let record = records[room] else { return true }
        if record.epoch == stored.epoch, stored.head < record.highest { return false }
        forgetAbandonedLine(of: room)
        note(stored.entries, of: room, epoch: stored.epoch)
        raise(room, to: stored.head)
        return true
    }

    private mutating func raise(_ room: String, to version: Version) {
        guard let record = records[room], record.highest < version else { return }
        records[room]?.highest = version
    }

    func highest(of room: String, epoch: Version) -> Version {
        records[room].map { $0.epoch == epoch ? $0.highest : 0 } ?? 0
    }

    /// Takes the record out, so that it is changed in place.
    mutating func takeRecord(_ room: String) -> Record? {
        records.removeValue(forKey: room)
    }

    mutating func put(_ record: Record, for room: String) {
        if record.isNeeded {
            records[room] = record
        } else {
            tailBytes -= record.tail.bytes
        }
    }

    // MARK: Followers

    mutating func follow(_ room: String, _ tap: FollowerTap) {
        records[room, default: Record()].tap = tap
    }

    mutating func unfollow(_ room: String) {
        guard var record = takeRecord(room) else { return }
        record.tap = nil
        record.hasMissedNotices = false
        if record.mode == .unverified, record.waiting.isEmpty, record.local == nil {
            record.mode = .shared
            pending.remove(room)
        }
        put(record, for: room)
    }

    /// Whether a notice for the follower may pass. Not while the room goes its own way, nor before
    /// it is known that the log still holds what the follower has: otherwise it would be led away
    /// from entries that only this instance can give back.
    mutating func passes(_ tap: FollowerTap, of room: String) -> Bool {
        guard let record = records[room], record.tap === tap else { return false }
        if record.mode != .shared { records[room]?.hasMissedNotices = true }
        return record.mode == .shared
    }

    // MARK: Going local

    /// Goes on from the follower's copy. False while the room is being reconciled.
    mutating func seed(_ room: String, _ checkpoint: RoomCheckpoint) -> Bool {
        guard var record = takeRecord(room) else { return false }
        defer { put(record, for: room) }
        if record.local != nil { return record.mode == .local }
        guard record.mode != .reconciling else { return false }
        place(checkpoint, of: room, &record)
        record.mode = .local
        return true
    }

    /// Keeps the copy of a follower that was declared dead, for the shared store to be compared with.
    mutating func keep(_ checkpoint: RoomCheckpoint, of room: String) {
        guard var record = takeRecord(room) else { return }
        defer { put(record, for: room) }
        guard record.deletion == nil else { return }
        if record.local == nil {
            place(checkpoint, of: room, &record)
            record.hasNewCopy = record.mode == .reconciling
            if !record.hasNewCopy { record.mode = modeToCompare }
        }
        record.local?.isFenced = true
    }

    /// Who wants the room waits until it has been compared, if it can be now.
    private var modeToCompare: Mode { availability == .full ? .unverified : .local }

    /// Puts the room in memory as the follower has it, with what is remembered of the log.
    private mutating func place(
        _ checkpoint: RoomCheckpoint, of room: String, _ record: inout Record
    ) {
        let chain =
            record.epoch == checkpoint.epoch ? record.tail.chain(to: checkpoint.version) : []
        let image = RoomImage(
            room: room, checkpoint: checkpoint, log: chain, summary: checkpoint.summary)
        memory.forget(room)
        _ = memory.restore(image, replacing: nil)
        let loose = record.epoch == checkpoint.epoch ? record.tail.beyond(checkpoint.version) : []
        if record.epoch != checkpoint.epoch { record.highest = checkpoint.version }
        record.epoch = checkpoint.epoch
        record.local = Local(base: checkpoint.version)
        addLoose(loose, to: room, &record)
    }

    /// What the shared store acknowledged and the follower could not fold for want of an entry
    /// before it: nobody can give that one now, so the room goes on without it.
    private mutating func addLoose(
        _ loose: [VersionedEntry], to room: String, _ record: inout Record
    ) {
        guard let stored = memory.room(room), !loose.isEmpty else { return }
        let known = Set(stored.log.map(\.entry.id))
        var before = stored.head
        let chained = loose.filter { !known.contains($0.entry.id) }.map { entry in
            defer { before = entry.version }
            return VersionedEntry(version: entry.version, previous: before, entry: entry.entry)
        }
        let head = RoomPosition(epoch: stored.epoch, version: stored.head)
        _ = memory.append(chained, to: room, at: head, summary: record.summary ?? stored.summary)
        let bytes = chained.approximateBytes
        counts.localBytes += bytes
        record.local?.bytes += bytes
    }

    /// Whether the follower of a room waits for entries after `version` that nobody can give.
    func hasLooseEntries(_ room: String, epoch: Version, after version: Version) -> Bool {
        guard let record = records[room], record.epoch == epoch, record.local == nil else {
            return false
        }
        return !record.tail.beyond(version).isEmpty
    }

    func hasLocalCopy(of room: String) -> Bool { records[room]?.local != nil }

    /// Whether the room of this epoch was deleted here and nowhere else yet.
    func isDeletedLocally(_ room: String, epoch: Version) -> Bool {
        records[room]?.deletion?.epoch == epoch
    }

    mutating func commitLocally(_ batch: CommitBatch) throws(RoomStoreError) -> CommitOutcome {
        guard hasLocalCopy(of: batch.room) else { return .noRoom }
        if let first = recentEntry(batch.entries.first?.id, of: batch.room, after: batch.expected) {
            // The shared store had taken it, and the follower has read it there.
            return .committed(previous: first.previous, first: first.version, durable: false)
        }
        let bytes = try admit(batch.entries)
        let (outcome, entries) = try memory.commit(batch, durable: false)
        guard !entries.isEmpty else { return outcome }
        records[batch.room]?.summary = memory.room(batch.room)?.summary
        count(entries.count, bytes, in: batch.room, origin: batch.origin)
        return outcome
    }

    private func recentEntry(
        _ id: String?, of room: String, after version: Version
    ) -> VersionedEntry? {
        memory.room(room)?.entries(after: version).first { $0.entry.id == id }
    }

    mutating func createLocally(_ request: CreateRequest) throws(RoomStoreError) -> CreateOutcome {
        let record = records[request.room]
        let isListed = listed[request.room].map { $0.epoch != record?.deletion?.epoch } ?? false
        guard record?.local == nil, !isListed else { return .exists }
        let bytes = try admit(request.entries)
        let outcome = memory.create(request, durable: false)
        guard case .created(let epoch, _) = outcome else { return outcome }
        var new = record ?? Record()
        tailBytes -= new.tail.bytes
        new.tail = RoomTail()
        new.epoch = epoch
        new.highest = epoch
        new.local = Local(base: 0)
        new.mode = .local
        new.summary = memory.room(request.room)?.summary
        records[request.room] = new
        count(request.entries.count, bytes, in: request.room, origin: request.origin)
        return outcome
    }

    mutating func deleteLocally(
        _ batch: CommitBatch
    ) throws(RoomStoreError) -> (CommitOutcome, FollowerTap?) {
        let ids = Set(localEntries(of: batch.room).map(\.entry.id))
        let outcome = try memory.delete(batch, durable: false)
        guard case .committed = outcome, let record = records[batch.room] else {
            return (outcome, nil)
        }
        dropLocal(batch.room)
        records[batch.room]?.deletion = Reconciliation.Deletion(
            epoch: batch.epoch, base: record.local?.base ?? 0, ownIDs: ids)
        records[batch.room]?.mode = .local
        records[batch.room]?.summary = nil
        listed[batch.room] = nil
        return (outcome, record.tap)
    }

    private mutating func count(_ entries: Int, _ bytes: Int, in room: String, origin: String) {
        counts.localEntries += UInt64(entries)
        counts.localBytes += bytes
        records[room]?.local?.bytes += bytes
        records[room]?.local?.origins.insert(origin)
        let use = nextUse()
        records[room]?.usedAt = use
    }

    /// Entries that the shared store has not acknowledged.
    func localEntries(of room: String) -> ArraySlice<VersionedEntry> {
        guard let local = records[room]?.local else { return [] }
        return memory.room(room)?.entries(after: local.base) ?? []
    }

    private mutating func dropLocal(_ room: String) {
        guard let local = records[room]?.local else { return }
        counts.localBytes -= local.bytes
        records[room]?.local = nil
        memory.forget(room)
    }

    // MARK: Lists

    /// All rooms as far as known, `stored` being what the shared store says if it was asked.
    func summaries(stored: [RoomSummary]?) -> [RoomSummary] {
        var list = listed
        if let stored { list = Dictionary(stored.map { ($0.id, $0) }) { $1 } }
        for (room, record) in records {
            if record.deletion != nil, record.local == nil { list[room] = nil }
            guard let summary = record.summary else { continue }
            let isOwn = record.local != nil || stored == nil || record.mode != .shared
            if isOwn, summary.version >= list[room]?.version ?? 0 { list[room] = summary }
        }
        return Array(list.values)
    }
}

// MARK: - Reconciling

extension FallbackRooms {
    /// What one reconciliation begins with.
    struct Task: Sendable {
        var tap: FollowerTap?
        var local: Local?
        var room: MemoryRoom?
        var deletion: Reconciliation.Deletion?
        var tail: RoomTail
        var epoch: Version
    }

    /// How a reconciliation ended.
    enum Ending: Sendable {
        case done(Resumption)
        /// Tried again later; until then the room goes on as before.
        case failed
    }

    mutating func begin(_ room: String) -> Task? {
        guard let record = records[room], record.isNeeded, record.mode != .reconciling else {
            return nil
        }
        records[room]?.mode = .reconciling
        return Task(
            tap: record.tap, local: record.local, room: memory.room(room),
            deletion: record.deletion, tail: record.tail, epoch: record.epoch)
    }

    /// Who follows the room now; it may have been opened or closed meanwhile.
    func tap(of room: String) -> FollowerTap? { records[room]?.tap }

    /// The room must be compared once more.
    mutating func doubt(_ room: String) {
        if records[room]?.mode == .shared { records[room]?.mode = .unverified }
    }

    /// The local deletion of a room has been dealt with.
    mutating func deletionSettled(_ room: String) { records[room]?.deletion = nil }

    /// What is left to do after a reconciliation.
    struct Aftermath {
        /// The operations that waited.
        var waiting: [EventLoopPromise<Resumption>] = []
        /// How often the room has failed in a row.
        var failures = 0
        /// The connection is another one by now.
        var isDoubted = false
        /// The follower has not been told of everything.
        var hasMissedNotices = false
    }

    /// The room goes on along the line of the shared store. Entries of ours up to here may have the
    /// numbers of others there; they are forgotten once the follower has left them too.
    mutating func abandonLine(of room: String, upTo version: Version) {
        records[room]?.abandoned = version
    }

    private mutating func forgetAbandonedLine(of room: String) {
        guard let version = records[room]?.abandoned, var record = takeRecord(room) else { return }
        tailBytes -= record.tail.bytes
        record.tail.forget(upTo: version)
        tailBytes += record.tail.bytes
        record.abandoned = nil
        put(record, for: room)
    }

    mutating func end(_ room: String, _ ending: Ending) -> Aftermath {
        guard let isDoubted = records[room]?.isDoubted else { return Aftermath() }
        switch ending {
        case .done(let resumption):
            let hasNewCopy = records[room]?.hasNewCopy == true
            if !hasNewCopy { moveLocalToTail(room) }
            if case .replaced(let head) = resumption {
                raise(room, to: head)
            }
            let mode = hasNewCopy ? modeToCompare : .shared
            records[room]?.mode = mode
            records[room]?.deletion = nil
            records[room]?.failures = 0
            if resumption == .gone { records[room]?.summary = nil }
        case .failed:
            records[room]?.failures += 1
            let isLocal = records[room]?.local != nil || records[room]?.deletion != nil
            records[room]?.mode = isLocal ? .local : availability == .full ? .unverified : .shared
        }
        guard var record = takeRecord(room) else { return Aftermath() }
        let after = Aftermath(
            waiting: record.waiting, failures: record.failures, isDoubted: isDoubted,
            hasMissedNotices: record.hasMissedNotices)
        record.waiting = []
        record.hasMissedNotices = false
        record.isDoubted = false
        record.hasNewCopy = false
        if isDoubted, record.mode == .shared, record.tap != nil, availability == .full {
            record.mode = .unverified
        }
        put(record, for: room)
        return after
    }

    private mutating func moveLocalToTail(_ room: String) {
        guard let local = records[room]?.local, let stored = memory.room(room) else { return }
        let entries = stored.entries(after: local.base)
        dropLocal(room)
        note(entries, of: room, epoch: stored.epoch, summary: stored.summary)
    }
}
