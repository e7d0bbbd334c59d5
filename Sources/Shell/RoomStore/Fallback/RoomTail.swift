import Rooms

/// The last entries that passed through this instance for one room: what it can give back to a
/// shared store that returns without them. In no particular order, possibly with gaps.
struct RoomTail: Sendable {
    private var entries: [VersionedEntry] = []
    private var head = 0
    private(set) var bytes = 0

    var count: Int { entries.count - head }

    /// The highest version remembered.
    var lastVersion: Version? { entries[head...].lazy.map(\.version).max() }

    mutating func note(_ new: some Collection<VersionedEntry>, limits: RoomStoreLimits) {
        for entry in new {
            entries.append(entry)
            bytes += entry.entry.approximateBytes
        }
        trim(toBytes: limits.tailBytes, entries: limits.tailEntries)
    }

    mutating func trim(toBytes maxBytes: Int, entries maxEntries: Int) {
        while count > 0, bytes > maxBytes || count > maxEntries {
            bytes -= entries[head].entry.approximateBytes
            head += 1
        }
        if head > 32, head > entries.count / 2 {
            entries.removeFirst(head)
            head = 0
        }
    }

    mutating func forget(upTo version: Version) {
        entries = entries[head...].filter { $0.version > version }
        head = 0
        bytes = entries.approximateBytes
    }

    /// The entries that lead up to `version`, each naming the one before it.
    func chain(to version: Version) -> [VersionedEntry] {
        var known: [Version: VersionedEntry] = [:]
        for entry in entries[head...] { known[entry.version] = entry }
        var chain: [VersionedEntry] = []
        var at = version
        while let entry = known.removeValue(forKey: at) {
            chain.append(entry)
            at = entry.previous
        }
        return chain.reversed()
    }

    /// What lies beyond `version`, in order: entries that the follower could not fold yet because
    /// one before them is missing, or that are on their way to it.
    func beyond(_ version: Version) -> [VersionedEntry] {
        var known: [Version: VersionedEntry] = [:]
        for entry in entries[head...] where entry.version > version { known[entry.version] = entry }
        return known.values.sorted { $0.version < $1.version }
    }
}
