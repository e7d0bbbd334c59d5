/// The hold-back queue of one room: entries come from own commits, notices and reads of the log, in
/// any order and more than once; they leave in version order, once.
///
/// Invariant: every entry given out has `previous == applied` at that moment.
package struct EntrySequencer: Sendable {
    /// Entries held while an earlier one is missing. Beyond: the rest is read from the log.
    package static let heldLimit = 4_096

    /// The version of the last entry given out.
    package private(set) var applied: Version
    private var held: [Version: VersionedEntry] = [:]
    /// The highest version heard of, also where only its number came.
    package private(set) var heardOf: Version

    package init(applied: Version) {
        self.applied = applied
        heardOf = applied
    }

    /// Whether an entry is known to be missing.
    package var hasGap: Bool { heardOf > applied }

    /// Takes entries in and gives out those that are now in order.
    package mutating func receive(_ entries: [VersionedEntry]) -> [VersionedEntry] {
        for entry in entries where entry.version > applied {
            heardOf = max(heardOf, entry.version)
            if held.count < Self.heldLimit || entry.previous == applied {
                held[entry.previous] = entry
            }
        }
        return release()
    }

    /// Takes note that the log reaches to `version`, without its entries.
    package mutating func heard(of version: Version) {
        heardOf = max(heardOf, version)
    }

    /// Starts again from a snapshot; what lies at or before it is dropped.
    package mutating func reset(to version: Version) -> [VersionedEntry] {
        applied = version
        heardOf = max(heardOf, version)
        return release()
    }

    /// Starts again from a snapshot that replaces what was known, even a higher version.
    package mutating func restart(at version: Version) {
        applied = version
        heardOf = version
        held.removeAll()
    }

    private mutating func release() -> [VersionedEntry] {
        var released: [VersionedEntry] = []
        while let next = held.removeValue(forKey: applied) {
            applied = next.version
            released.append(next)
        }
        if !released.isEmpty || !hasGap { held = held.filter { $0.value.version > applied } }
        return released
    }
}
