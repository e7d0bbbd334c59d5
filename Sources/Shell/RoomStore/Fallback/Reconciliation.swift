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
/// commit whose reply was lost).
enum Reconciliation {
    /// This instance's side.
    struct Ours: Sendable, Hashable {
        /// Where our copy stands.
        var position: RoomPosition
        /// The entries that lead up to it, as far back as they are remembered, without gaps.
        var chain: [VersionedEntry]
        /// Up to here the shared store had acknowledged everything; equal to the position's version
        /// if nothing was committed here alone.
        var base: Version
        /// We were declared dead meanwhile: our members are not ours any more.
        var isFenced = false

        var hasLocalEntries: Bool { position.version > base }

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
        /// `missing`: what the shared store, which stands at `head`, does not have.
        case merge(missing: [VersionedEntry], head: Version)
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
        if theirs == ours.position, !ours.hasLocalEntries { return .inStep }
        return .compareLogs(after: theirs.version == ours.base ? ours.base : ours.start)
    }

    /// `log`: the shared store's, from the version on that `compare` asked for, or from where it
    /// begins.
    static func compare(_ ours: Ours, with log: StoredLog) -> Plan {
        let theirIDs = Set(log.entries.map(\.entry.id))
        let head = RoomPosition(epoch: ours.position.epoch, version: log.head)
        guard let parting = lastCommonVersion(ours, log) else {
            if log.head < ours.start { return .restore(replacing: head) }
            let missing = ours.chain.filter {
                ($0.version > log.start || $0.version > ours.base) && !theirIDs.contains($0.entry.id)
            }
            let isBehind = log.start > ours.position.version && !ours.hasLocalEntries
            return isBehind ? .follow(head: log.head) : .merge(missing: missing, head: log.head)
        }
        let mine = ours.chain.filter { $0.version > parting }
        let theirs = log.entries.filter { $0.version > parting }
        if mine.isEmpty { return theirs.isEmpty ? .inStep : .follow(head: log.head) }
        if theirs.isEmpty, !(ours.isFenced && mine.contains { $0.entry.change.isMembership }) {
            return .append(mine, at: head)
        }
        return .merge(
            missing: mine.filter { !theirIDs.contains($0.entry.id) }, head: log.head)
    }

    private static func lastCommonVersion(_ ours: Ours, _ log: StoredLog) -> Version? {
        let mine = Dictionary(ours.chain.map { ($0.version, $0.entry.id) }) { $1 }
        for entry in log.entries.reversed() {
            if mine[entry.version] == entry.entry.id || entry.version == ours.start {
                return entry.version
            }
        }
        let isOnOurLine = mine[log.start] != nil || log.start == ours.start
        return isOnOurLine ? log.start : nil
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
            case .left, .hostHandedOver: return true
            default: return false
            }
        }
    }
}

extension RoomEntry.Change {
    var isMembership: Bool {
        switch self {
        case .joined, .left, .renamed, .hostHandedOver: true
        case .created, .edited, .uploaded, .deleted: false
        }
    }
}
