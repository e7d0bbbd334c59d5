import Rooms

/// How a room that this instance holds and the room of that name in the shared store come together
/// after an outage. Pure: what both sides know comes in, what to do goes out; every write is
/// conditional on what was seen here, so a decision that time has overtaken does nothing.
///
///     shared store has    │ then
///     ────────────────────┼───────────────────────────────────────────────────────────────
///     nothing             │ restore ours, unless the room is known to have been deleted
///     another epoch       │ the older room wins, unless it is known to have been deleted
///     our line, as far    │ nothing to do
///     our line, further   │ our follower reads on
///     our line, less far  │ append what is missing, at the versions it has
///     an older state      │ put ours in its place
///     another line        │ merge what it does not have into it
///
/// The line of a side is its chain of versions. They part after the last entry that both have; what
/// follows there on our side is brought over, but for entries the other side knows by their ids (a
/// commit whose reply was lost). So are loose entries: those that this instance has, but not the one
/// before them. An entry whose predecessor differs is where lines part, even if it is the same.
enum Reconciliation {
    /// This instance's side.
    struct Ours: Sendable, Hashable {
        /// Where our copy stands.
        var position: RoomPosition
        /// The entries that lead up to it, as far back as they are remembered, without gaps.
        var chain: [VersionedEntry]
        /// Entries beyond the position: acknowledged by the shared store, not yet in our copy.
        var loose: [VersionedEntry] = []
        /// Up to here the shared store had acknowledged everything; equal to the position's version
        /// if nothing was committed here alone.
        var base: Version
        /// We were declared dead meanwhile: our members are not ours any more.
        var isFenced = false

        var hasLocalEntries: Bool { position.version > base }

        /// Of the entry at our position; empty if unknown.
        var lastID: String { chain.last?.entry.id ?? "" }

        /// The earliest version of our line that is known.
        var start: Version { chain.first?.previous ?? position.version }
    }

    enum FirstStep: Sendable, Hashable {
        case inStep
        case restore(replacing: RoomPosition?)
        case yield
        /// The logs must be compared, from after this version on.
        case compareLogs(after: Version)
    }

    enum Plan: Sendable, Hashable {
        case inStep
        case follow(head: Version)
        case append([VersionedEntry], at: RoomPosition)
        case restore(replacing: RoomPosition)
        /// `missing`: what the shared store, which stands at `head`, does not have. `since`: up to
        /// there both have the same, as far as is known.
        case merge(missing: [VersionedEntry], since: Version, head: Version)
        /// As `merge`, and then our scene as a whole: it may have more that the shared store has
        /// not, from before what we remember of the log.
        case mergeWhole(missing: [VersionedEntry], since: Version, head: Version)
    }

    static func compare(_ ours: Ours, with stored: StoredHead) -> FirstStep {
        let wasDeleted = stored.deletedEpoch >= ours.position.epoch
        guard let theirs = stored.position else {
            return wasDeleted ? .yield : .restore(replacing: nil)
        }
        guard theirs.epoch == ours.position.epoch else {
            return wasDeleted || theirs.epoch < ours.position.epoch
                ? .yield : .restore(replacing: theirs)
        }
        let isSameEntry =
            ours.lastID.isEmpty || stored.lastID.isEmpty || ours.lastID == stored.lastID
        if theirs == ours.position, isSameEntry, !ours.hasLocalEntries, ours.loose.isEmpty {
            return .inStep
        }
        return .compareLogs(after: ours.start)
    }

    /// - Parameters:
    ///   - log: The shared store's, from the version on that `compare` asked for, or from where it
    ///     begins.
    ///   - lastID: The id of the entry at its head; empty if unknown.
    static func compare(_ ours: Ours, with log: StoredLog, lastID: String = "") -> Plan {
        let theirVersions = Dictionary(
            log.entries.map { ($0.entry.id, $0.entry.madeAt ?? $0.version) }, uniquingKeysWith: max)
        let theirIDs = Set(theirVersions.keys)
        let head = RoomPosition(epoch: ours.position.epoch, version: log.head)
        let known = theirIDs.union(ours.chain.map(\.entry.id))
        let loose = ours.loose.filter {
            $0.version > log.start && !known.contains($0.entry.id)
        }
        guard let parting = lastCommonVersion(ours, log, lastID) else {
            if log.head < ours.start { return .restore(replacing: head) }
            // Whether the store's checkpoint has what it had acknowledged to us cannot be seen. What
            // it has loses against itself in a merge; memberships do not, and are left out.
            let uncertain = ours.chain.filter {
                $0.version > log.start || $0.version > ours.base || !$0.entry.change.isMembership
            }
            let missing = withoutDeparted(lacking(uncertain, theirVersions), ours) + loose
            // A log that reaches back beyond ours and does not have our beginning has parted from
            // us before it. One that begins later may have.
            let hasParted = log.start < ours.start
            if missing.isEmpty, !hasParted, log.head > ours.position.version {
                return .follow(head: log.head)
            }
            return .mergeWhole(
                missing: missing, since: min(log.start, ours.start), head: log.head)
        }
        let mine = ours.chain.filter { $0.version > parting }
        let theirs = log.entries.filter { $0.version > parting }
        if mine.isEmpty, loose.isEmpty {
            return theirs.isEmpty ? .inStep : .follow(head: log.head)
        }
        let isOutdated = ours.isFenced && mine.contains { $0.entry.change.isMembership }
        if theirs.isEmpty, !mine.isEmpty, !isOutdated { return .append(mine, at: head) }
        let missing = withoutDeparted(lacking(mine, theirVersions), ours)
        return .merge(missing: missing + loose, since: parting, head: log.head)
    }

    /// Nobody comes back who has come and gone here, and of whom the other side knows that he went.
    private static func withoutDeparted(
        _ missing: [VersionedEntry], _ ours: Ours
    ) -> [VersionedEntry] {
        let known = RoomMerge.gone(ours.chain).subtracting(RoomMerge.gone(missing))
        return missing.filter { entry in
            guard case .joined(let member, _, _) = entry.entry.change else { return true }
            return !known.contains(member.id)
        }
    }

    /// Those of our entries that the other side does not know. One of ours that it does know may
    /// have been carried out there late, above what followed it here; so what follows it on the
    /// same part of the scene counts as later than that.
    private static func lacking(
        _ ours: [VersionedEntry], _ theirs: [String: Version]
    ) -> [VersionedEntry] {
        var floors: [String: Version] = [:]
        return ours.compactMap { entry in
            guard case .edited(let edit, _) = entry.entry.change else {
                return theirs[entry.entry.id] == nil ? entry : nil
            }
            let floor = floors[edit.target] ?? 0
            if let version = theirs[entry.entry.id] {
                floors[edit.target] = max(floor, version)
                return nil
            }
            var raised = entry
            raised.version = max(entry.version, floor + 1)
            if floor > 0 {
                raised.entry.madeAt = nil
                floors[edit.target] = raised.version
            }
            return raised
        }
    }

    /// Up to where both sides have the same entries, one after the other; nil if no version is known
    /// to be on both lines. That the other log begins at a number of ours is not enough: it must be
    /// seen to go on like ours.
    private static func lastCommonVersion(
        _ ours: Ours, _ log: StoredLog, _ lastID: String
    ) -> Version? {
        var mine = ours.chain[...]
        var theirs = log.entries[...]
        if let index = mine.firstIndex(where: { $0.version == log.start }) {
            let isSame =
                theirs.isEmpty
                ? lastID.isEmpty || lastID == mine[index].entry.id
                : mine[(index + 1)...].first?.entry.id == theirs.first?.entry.id
            guard isSame else { return nil }
            mine = mine[(index + 1)...]
        } else if let index = theirs.firstIndex(where: { $0.version == ours.start }) {
            theirs = theirs[(index + 1)...]
        } else if log.start != ours.start {
            return nil
        }
        var common = max(log.start, ours.start)
        for (left, right) in zip(mine, theirs) {
            guard left.version == right.version, left.previous == right.previous,
                left.entry.id == right.entry.id
            else { break }
            common = left.version
        }
        return common
    }

    // MARK: Deletions

    /// A room that was deleted here while the shared store was away.
    struct Deletion: Sendable, Hashable {
        var epoch: Version
        /// Up to here the shared store had acknowledged everything.
        var base: Version
        /// Ids of the entries committed here alone.
        var ownIDs: Set<String>
    }

    /// Whether a local deletion is carried out on what is stored now. Not if others have gone on
    /// with the room: what they were told is saved stays.
    static func carriesOut(_ deletion: Deletion, on log: StoredLog) -> Bool {
        guard log.start <= deletion.base else { return false }
        return log.entries.allSatisfy { entry in
            if entry.version <= deletion.base || deletion.ownIDs.contains(entry.entry.id) {
                return true
            }
            switch entry.entry.change {
            case .left, .away, .hostHandedOver: return true
            default: return false
            }
        }
    }
}

extension RoomEntry.Change {
    var isMembership: Bool {
        switch self {
        case .joined, .left, .away, .moved, .renamed, .hostHandedOver: true
        case .created, .edited, .uploaded, .deleted: false
        }
    }
}

// For the log: ids instead of bodies.
extension Reconciliation.Ours: CustomStringConvertible {
    var description: String {
        "at \(position.version), base \(base), from \(start) \(chain.suffix(20).ids)"
            + (loose.isEmpty ? "" : ", loose \(loose.ids)") + (isFenced ? ", fenced" : "")
    }
}

extension Reconciliation.Plan: CustomStringConvertible {
    var description: String {
        switch self {
        case .inStep: "in step"
        case .follow(let head): "follow to \(head)"
        case .append(let entries, let head): "append \(entries.ids) at \(head.version)"
        case .restore(let replaced): "restore over \(replaced.version)"
        case .merge(let missing, let since, let head):
            "merge \(missing.ids) since \(since) into \(head)"
        case .mergeWhole(let missing, let since, let head):
            "merge \(missing.ids) and the scene since \(since) into \(head)"
        }
    }
}

extension Collection<VersionedEntry> {
    fileprivate var ids: String { map(\.entry.id).joined(separator: " ") }
}

extension SceneEdit {
    /// The part of the scene that the edit is about.
    fileprivate var target: String {
        switch self {
        case .objectUpdate(let uuid, _, _), .objectRemoval(let uuid): "object \(uuid)"
        case .scriptAdded(let uuid, _), .scriptChanged(let uuid, _), .scriptRemoved(let uuid, _):
            "scripts \(uuid)"
        case .material(let uuid, _): "material \(uuid)"
        case .background: "background"
        case .fog: "fog"
        case .replace: "scene"
        }
    }
}
