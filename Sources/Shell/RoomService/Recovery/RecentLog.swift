import Rooms

/// The last entries of one room, kept while clients come back to it: one read of the log serves all
/// who were cut off at about the same time.
///
/// Invariant: `entries` is a chain without gaps that begins at `start`. What lies between `floor`
/// and `start` cannot be told as events.
struct RecentLog {
    private(set) var floor: Version
    private(set) var start: Version
    private(set) var entries: [VersionedEntry] = []
    private(set) var byteCount = 0
    /// An entry came that does not follow.
    private(set) var isBroken = false

    init(start: Version) {
        floor = start
        self.start = start
    }

    /// The version of the last entry known.
    var end: Version { entries.last?.version ?? start }

    enum Tail {
        /// The log was not read as far back.
        case unknown
        /// There is more to it than events can tell.
        case untellable
        case entries(ArraySlice<VersionedEntry>)
    }

    /// What came after a version.
    func tail(after version: Version) -> Tail {
        guard !isBroken, version >= floor else { return .unknown }
        if version < start { return .untellable }
        if version == end { return .entries([]) }
        guard let index = index(following: version) else { return .untellable }
        return .entries(entries[index...])
    }

    /// Takes entries that come next; those it has already are passed over.
    mutating func append(_ more: some Sequence<VersionedEntry>) {
        for entry in more where entry.version > end {
            guard entry.previous == end else { return isBroken = true }
            if entry.entry.isTellable {
                entries.append(entry)
                byteCount += entry.entry.byteCount
            } else {
                start = entry.version
                entries = []
                byteCount = 0
            }
        }
    }

    /// The same, further back by what was read from the log; nil if the one does not reach to the
    /// other.
    func extended(by earlier: [VersionedEntry], from version: Version) -> RecentLog? {
        var longer = RecentLog(start: version)
        longer.append(earlier)
        if end > longer.end {
            // Nothing is kept of what lies before `start`.
            guard start <= longer.end else { return nil }
            longer.append(entries)
        }
        return longer.isBroken || longer.end < end ? nil : longer
    }

    private func index(following version: Version) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].previous < version { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].previous == version ? low : nil
    }
}

extension RoomEntry {
    /// Whether those who missed the entry can be told of it by an event. A full scene cannot: they
    /// get the scene as it is now.
    fileprivate var isTellable: Bool {
        switch change {
        case .created, .uploaded, .deleted, .edited(.replace, _): false
        default: true
        }
    }

    fileprivate var byteCount: Int {
        if case .edited(let edit, _) = change { edit.byteCount + 256 } else { 256 }
    }
}

extension Collection<VersionedEntry> {
    /// Bytes of the events that tell of the entries, roughly.
    var eventBytes: Int { reduce(0) { $0 + $1.entry.byteCount } }
}
