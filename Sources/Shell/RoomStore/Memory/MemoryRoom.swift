import Rooms

/// One room of the memory store.
///
/// Invariants: `log` rises without gaps and ends at `head`, unless it is empty; with a checkpoint
/// it begins at or before the entry after it.
struct MemoryRoom: Sendable {
    let epoch: Version
    private(set) var head: Version
    private(set) var lastID: String
    private(set) var log: [VersionedEntry]
    private(set) var checkpoint: RoomCheckpoint?
    var summary: RoomSummary

    init(epoch: Version, entries: [RoomEntry], summary: RoomSummary) {
        self.epoch = epoch
        self.summary = summary
        head = 0
        lastID = ""
        log = []
        append(entries, from: epoch)
        setSummary(summary)
    }

    init(_ image: RoomImage) {
        epoch = image.epoch
        head = image.head
        lastID = image.lastID
        log = image.log
        checkpoint = image.checkpoint
        summary = image.summary
        setSummary(summary)
    }

    mutating func setSummary(_ summary: RoomSummary) {
        self.summary = summary
        self.summary.epoch = epoch
        self.summary.version = head
    }

    /// Gives the entries consecutive versions.
    @discardableResult
    mutating func append(_ entries: [RoomEntry], from first: Version) -> [VersionedEntry] {
        let added = entries.enumerated().map { index, entry in
            let version = first + Version(index)
            defer { head = version }
            return VersionedEntry(version: version, previous: head, entry: entry)
        }
        log += added
        lastID = entries.last?.id ?? lastID
        return added
    }

    mutating func append(_ entries: [VersionedEntry]) {
        log += entries
        head = entries.last?.version ?? head
        lastID = entries.last?.entry.id ?? lastID
    }

    /// Everything of the log after `version`.
    func entries(after version: Version) -> ArraySlice<VersionedEntry> {
        var low = log.startIndex
        var high = log.endIndex
        while low < high {
            let middle = low + (high - low) / 2
            if log[middle].version > version { high = middle } else { low = middle + 1 }
        }
        return log[low...]
    }

    func read(after version: Version) -> LogRead {
        let entries = entries(after: version)
        guard let first = entries.first else { return head == version ? .entries([]) : .trimmed }
        return first.previous == version ? .entries(Array(entries)) : .trimmed
    }

    mutating func save(_ newer: RoomCheckpoint, trimBefore: Version, limits: LogLimits) {
        guard newer.epoch == epoch, newer.version <= head,
            newer.version > checkpoint?.version ?? 0
        else { return }
        checkpoint = newer
        let behind = log.count - entries(after: newer.version).count
        var dropped = log[..<behind].count { $0.version < trimBefore }
        dropped = max(dropped, behind - limits.entries)
        var bytes = log[dropped..<behind].approximateBytes
        while dropped < behind, bytes > limits.bytes {
            bytes -= log[dropped].entry.approximateBytes
            dropped += 1
        }
        log.removeFirst(dropped)
    }

    mutating func forgetLog(upTo version: Version) {
        let last = min(version, checkpoint?.version ?? 0)
        log.removeFirst(log.count - entries(after: last).count)
    }

    var stored: StoredRoom {
        StoredRoom(
            epoch: epoch, head: head, checkpoint: checkpoint?.bytes,
            entries: Array(entries(after: checkpoint?.version ?? 0)))
    }
}
