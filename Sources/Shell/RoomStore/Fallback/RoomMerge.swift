import Rooms

/// Brings entries that were committed on one side of a partition into the room as the shared store
/// has it. Pure.
///
/// Scene changes: for each object and so on the later version wins (`SceneDocument.merge`).
/// Membership: the shared store's holds; of our own members those that came are let in and those
/// that went are taken out; whom we took for dead is not. A winner keeps the id of its entry, so that a merge whose reply was lost
/// is not repeated.
struct RoomMerge: Sendable {
    /// What has to be appended to the shared log, in order.
    private(set) var entries: [RoomEntry] = []
    /// The room's control state after that.
    private(set) var control: RoomControl
    private var scene: SceneDocument
    private var otherSide: SceneDocument.OtherSide
    private let isFenced: Bool
    private let limits: RoomLimits
    /// Of each member the id of the entry that named it last: names have no versions, so one that
    /// came over before is not told from one that is missing.
    private let lastNames: [String: String]

    /// - Parameters:
    ///   - state: The room as stored.
    ///   - missing: Our entries that it does not have, in order.
    ///   - ours: The entries of our line since it parted: those among them that are not missing
    ///     tell what was there as the others were made.
    ///   - log: The last of the entries that the stored room was folded from, as far as at hand.
    ///   - base: The version up to which both have the same log.
    ///   - version: What our members have seen: the result lies above it.
    ///   - copy: Our scene, where it may have what neither `missing` nor the stored room has.
    ///   - isFenced: Our members are not ours any more, so nothing is said about them.
    init(
        _ state: RoomState, log: [VersionedEntry] = [], missing: [VersionedEntry],
        of ours: [VersionedEntry] = [], since base: Version, above version: Version, isFenced: Bool,
        copy: SceneDocument? = nil, limits: RoomLimits = RoomLimits()
    ) {
        control = state.control
        scene = state.scene
        for stored in log {
            guard let madeAt = stored.entry.madeAt else { continue }
            switch stored.entry.change {
            case .edited(let edit, _): scene.restamp(edit, from: stored.version, to: madeAt)
            case .uploaded(let upload, _):
                let edit = SceneEdit.replace(editorData: upload.editorData)
                scene.restamp(edit, from: stored.version, to: madeAt)
            default: break
            }
        }
        otherSide = SceneDocument.OtherSide(base: base, before: state.scene)
        self.isFenced = isFenced
        self.limits = limits
        let gone = Self.gone(missing)
        lastNames = Self.lastNames(missing)
        let known = Self.known(ours, missing)
        var next = known.startIndex
        for entry in missing {
            while next < known.endIndex, known[next].version < entry.version {
                note(known[next])
                next += 1
            }
            merge(entry, gone: gone)
        }
        if let copy {
            for part in scene.merge(whole: copy, from: &otherSide) {
                emit(part.winners, by: "", "\(part.name)@\(part.version)", at: part.version)
            }
        }
        if entries.isEmpty, state.version <= version, let id = missing.last?.entry.id {
            emit(id, .renamed(memberID: "", name: ""))
        } else if entries.isEmpty, state.version <= version {
            emit("rise-\(version)", .renamed(memberID: "", name: ""))
        }
    }

    private static func known(
        _ ours: [VersionedEntry], _ missing: [VersionedEntry]
    ) -> [VersionedEntry] {
        guard !ours.isEmpty, !missing.isEmpty else { return [] }
        let ids = Set(missing.map(\.entry.id))
        return ours.filter { !ids.contains($0.entry.id) }
    }

    private mutating func note(_ known: VersionedEntry) {
        switch known.entry.change {
        case .edited(let edit, _): scene.note(edit, of: &otherSide)
        case .uploaded(let upload, _):
            scene.note(.replace(editorData: upload.editorData), of: &otherSide)
        default: break
        }
    }

    /// Members that came and went meanwhile.
    static func gone(_ missing: [VersionedEntry]) -> Set<String> {
        var gone: Set<String> = []
        for entry in missing {
            switch entry.entry.change {
            case .joined(let member, let replacing, _):
                gone.remove(member.id)
                if let replacing { gone.insert(replacing) }
            case .left(let memberID, _, _): gone.insert(memberID)
            default: break
            }
        }
        return gone
    }

    private static func lastNames(_ missing: [VersionedEntry]) -> [String: String] {
        var names: [String: String] = [:]
        for entry in missing {
            if case .renamed(let memberID, _, _) = entry.entry.change {
                names[memberID] = entry.entry.id
            }
        }
        return names
    }

    private mutating func merge(_ entry: VersionedEntry, gone: Set<String>) {
        let id = entry.entry.id
        switch entry.entry.change {
        case .edited(let edit, let author):
            merge(edit, by: author, id, at: entry.entry.madeAt ?? entry.version)
        case .uploaded(let upload, let author):
            merge(
                .replace(editorData: upload.editorData), by: author, id,
                at: entry.entry.madeAt ?? entry.version, upload)
        case .joined, .left, .away, .moved, .renamed, .hostHandedOver:
            if !isFenced { mergeMembership(entry.entry, gone: gone) }
        case .created, .deleted: break
        }
    }

    private mutating func merge(
        _ edit: SceneEdit, by author: String, _ id: String, at version: Version,
        _ upload: SceneUpload? = nil
    ) {
        emit(scene.merge(edit, at: version, from: &otherSide), by: author, id, at: version, upload)
    }

    private mutating func emit(
        _ winners: [SceneEdit], by author: String, _ id: String, at version: Version,
        _ upload: SceneUpload? = nil
    ) {
        for (index, winner) in winners.enumerated() {
            let id = index == 0 ? id : "\(id)~\(index)"
            guard case .replace(let editorData) = winner else {
                emit(id, .edited(winner, by: author), madeAt: index == 0 ? version : nil)
                continue
            }
            if let upload, upload.editorData == editorData {
                emit(id, .uploaded(upload, by: author), madeAt: version)
            } else if let merged = try? SceneUpload(checking: editorData) {
                emit(id, .uploaded(merged, by: author))
            }
        }
    }

    private mutating func mergeMembership(_ entry: RoomEntry, gone: Set<String>) {
        switch entry.change {
        case .joined(let member, let replacing, let takesHost):
            guard control.members[member.id] == nil, !gone.contains(member.id) else {
                if let replacing, gone.contains(member.id), control.members[replacing] != nil {
                    emit(entry.id, .left(memberID: replacing, cause: .disconnected))
                }
                return
            }
            let replaced = replacing.flatMap { control.members[$0]?.id }
            let takes = takesHost && (control.hostID == nil || control.hostID == replaced)
            emit(entry.id, .joined(member, replacing: replaced, takesHost: takes))
        case .left(let memberID, let cause, _):
            if cause != .swept, control.members[memberID] != nil { emit(entry.id, entry.change) }
        case .away(let memberID, let holder):
            if let member = control.members[memberID], member.holder == holder, !member.isAway {
                emit(entry.id, entry.change)
            }
        case .moved(let memberID, let holder):
            if let member = control.members[memberID], member.holder != holder || member.isAway {
                emit(entry.id, entry.change)
            }
        case .renamed(let memberID, let name, _):
            if lastNames[memberID] == entry.id, let member = control.members[memberID],
                member.name != name
            {
                emit(entry.id, entry.change)
            }
        case .hostHandedOver(let memberID):
            if control.members[memberID] != nil, control.hostID == nil {
                emit(entry.id, entry.change)
            }
        case .created, .edited, .uploaded, .deleted: break
        }
    }

    private mutating func emit(
        _ id: String, _ change: RoomEntry.Change, madeAt: Version? = nil
    ) {
        let entry = RoomEntry(id: id, change: change, madeAt: madeAt)
        entries.append(entry)
        control.fold(
            VersionedEntry(
                version: control.version + 1, previous: control.version, entry: entry),
            limits: limits)
    }
}
