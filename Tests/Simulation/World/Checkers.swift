import JSON
import RoomService
import RoomStore
import Rooms

/// What must hold, and what was found not to.
package enum Checker: String, CaseIterable, Sendable {
    /// The same order at all members: a chain of entries for each copy of a room.
    case order
    /// No acknowledged edit is missing, but for what the merge rules replace.
    case acknowledged
    /// A merge lets the later edit win.
    case merge
    /// One host in a room that is not empty.
    case host
    /// The lists are the truth: no ghosts, nobody missing.
    case members
    /// Versions rise at each client, over rooms too.
    case versions
    /// Queues are within their limits.
    case queues
    /// All copies of a room are equal, and what clients show.
    case equal
    /// Each request is answered in time.
    case answers
}

package struct Violation: Sendable, CustomStringConvertible {
    package let checker: Checker
    package let text: String
    package var description: String { "\(checker.rawValue): \(text)" }
}

/// Follows everything that is folded, delivered and acknowledged.
final class Checkers {
    struct Place: Hashable {
        let room: String
        let epoch: Version
        let version: Version
    }

    /// A change of one object, known by its log entry.
    struct Edit {
        let id: String
        let room: String
        let epoch: Version
        let uuid: String
        /// Nil: a removal.
        let value: String?
        /// Under which it was seen in the log: more than one if it was committed again, or merged.
        var versions: [Version]
        /// It changed something where it was folded first, and in the store's log.
        var hadEffect: Bool
        /// Answered, or delivered to another member.
        var isAcknowledged = false
        /// It is lost by rights: nobody who had it was left.
        var isExcused = false

        var first: Version { versions.min() ?? 0 }
    }

    /// One copy of a room from the moment it was opened or replaced.
    final class Chain {
        let owner: String
        var version: Version
        var lastID: String?
        var ids: Set<String> = []
        var isOver = false

        init(owner: String, version: Version) {
            self.owner = owner
            self.version = version
        }
    }

    private struct Link {
        let id: String
        let before: String?
        let chain: Chain
    }

    struct Suspicion {
        let one: Chain
        let other: Chain
        let text: String
    }

    unowned let world: World
    private(set) var violations: [Violation] = []
    private(set) var edits: [String: Edit] = [:]
    private(set) var places: [Place: [String]] = [:]
    /// Of every entry the version that it had first, of every version whose it is.
    private var origins: [String: Version] = [:]
    private var owners: [Place: String] = [:]
    /// The same of what merges have put into the store: a copy that goes its own way may give one of
    /// these versions too.
    private var mergedOwners: [Place: String] = [:]
    /// Entries that changed nothing where the store put them.
    private var withoutEffect: Set<String> = []
    private var chains: [String: Chain] = [:]
    private var links: [Place: [Link]] = [:]
    private(set) var suspicions: [Suspicion] = []

    init(_ world: World) { self.world = world }

    func violate(_ checker: Checker, _ text: @autoclosure () -> String) {
        guard violations.count < 20, world.options.checkers.contains(checker) else { return }
        let violation = Violation(checker: checker, text: text())
        violations.append(violation)
        world.history.note(.end, checker.rawValue.utf8.count) { "VIOLATION \(violation)" }
    }

    // MARK: Order

    func changed(_ instance: SimulatedInstance, _ change: RoomChange, _ state: RoomState) {
        let key = "\(instance.id)/\(state.control.id)"
        switch change {
        case .opened, .replaced:
            chains[key]?.isOver = true
            chains[key] = Chain(owner: key, version: state.version)
        case .folded(let entry): folded(entry, key, state)
        }
    }

    /// The instance is gone, and its members have lost their connections.
    func ended(_ instance: SimulatedInstance) {
        for (key, chain) in chains where key.hasPrefix("\(instance.id)/") {
            chain.isOver = true
            chains[key] = nil
        }
    }

    private func folded(_ entry: VersionedEntry, _ key: String, _ state: RoomState) {
        world.history.note(.fold, Int(entry.version), Int(entry.previous)) {
            "\(key) folds \(entry.version) after \(entry.previous): \(Self.words(entry.entry))"
        }
        guard let chain = chains[key] else {
            return violate(.order, "\(key) folds without having been opened")
        }
        if entry.previous != chain.version || entry.version <= chain.version {
            violate(
                .order, "\(key) folds \(entry.version) after \(entry.previous) at \(chain.version)")
        }
        // A merge that has nothing to say may raise the version, under an id that is known.
        let isEmpty = entry.entry.change == .renamed(memberID: "", name: "")
        if !chain.ids.insert(entry.entry.id).inserted, !isEmpty {
            violate(.order, "\(key) folds \(entry.entry.id) twice")
        }
        let control = state.control
        let place = Place(room: control.id, epoch: control.epoch, version: entry.version)
        let link = Link(id: entry.entry.id, before: chain.lastID, chain: chain)
        compare(link, with: links[place] ?? [], at: place)
        links[place, default: []].append(link)
        chain.version = entry.version
        chain.lastID = entry.entry.id
        note(entry, at: place, state)
    }

    /// Two copies that go different ways are made one again, by a replacement of one of them.
    private func compare(_ link: Link, with others: [Link], at place: Place) {
        for other in others where !other.chain.isOver && other.chain !== link.chain {
            let isSame =
                other.id == link.id
                && (other.before == nil || link.before == nil || other.before == link.before)
            guard !isSame else { continue }
            let text =
                "\(place.room) at \(place.version): \(link.chain.owner) has \(link.id) after"
                + " \(link.before ?? "-"), \(other.chain.owner) \(other.id) after"
                + " \(other.before ?? "-")"
            suspicions.append(Suspicion(one: link.chain, other: other.chain, text: text))
        }
    }

    // MARK: Edits

    private func note(_ entry: VersionedEntry, at place: Place, _ state: RoomState) {
        let id = entry.entry.id
        origins[id] = min(origins[id] ?? .max, entry.version)
        owners[place] = id
        guard case .edited(let edit, _) = entry.entry.change else { return }
        if edits[id] != nil {
            guard edits[id]?.versions.contains(entry.version) == false else { return }
            edits[id]?.versions.append(entry.version)
            return places[place, default: []].append(id)
        }
        let uuid: String
        var value: String?
        switch edit {
        case .objectUpdate(let object, let data, _):
            uuid = object
            value = data["object"]?["name"]?.string ?? ""
        case .objectRemoval(let object): uuid = object
        default: return
        }
        edits[id] = Edit(
            id: id, room: place.room, epoch: place.epoch, uuid: uuid, value: value,
            versions: [entry.version],
            hadEffect: state.scene.lastModified(of: uuid) == entry.version
                && !withoutEffect.contains(id))
        places[place, default: []].append(id)
    }

    /// The store has put these behind what their instance did not know of. If that removed an object,
    /// a change of it is of no effect in the log; an instance that loses the answer folds it all the
    /// same as if the object were there, until it hears of the log.
    func overtaken(_ batch: CommitBatch, first: Version, _ scene: SceneDocument) {
        for (index, entry) in batch.entries.enumerated() {
            guard case .edited(.objectUpdate(let uuid, _, "general"), _) = entry.change,
                !scene.contains(uuid), let removed = scene.lastModified(of: uuid),
                removed < first + Version(index)
            else { continue }
            withoutEffect.insert(entry.id)
            edits[entry.id]?.hadEffect = false
        }
    }

    private func find(
        _ room: String, _ version: Version, _ uuid: String, _ value: String?
    ) -> String? {
        // An editor does not know of epochs; few rooms have more than one.
        for epoch in world.epochs[room] ?? [] {
            let place = Place(room: room, epoch: epoch, version: version)
            for id in places[place] ?? [] {
                if let edit = edits[id], edit.uuid == uuid, edit.value == value { return id }
            }
        }
        return nil
    }

    func acknowledged(
        _ room: String, _ uuid: String, _ value: String?, _ version: Version, by editor: Editor
    ) {
        guard let id = find(room, version, uuid, value) else {
            return violate(
                .acknowledged,
                "editor \(editor.number) is told that \(uuid) = \(value ?? "-") is \(version)"
                    + " of \(room), and no copy has folded that")
        }
        edits[id]?.isAcknowledged = true
    }

    func heard(
        _ version: Version, after last: Version, _ uuid: String, _ value: String?, by editor: Editor
    ) {
        if version <= last {
            violate(.order, "editor \(editor.number) hears \(version) after \(last)")
        }
        guard let id = find(editor.room, version, uuid, value) else {
            return violate(
                .order,
                "editor \(editor.number) hears \(uuid) = \(value ?? "-") at \(version), and no"
                    + " copy of \(editor.room) has folded that")
        }
        edits[id]?.isAcknowledged = true
    }

    func sceneCame(_ version: Version, after last: Version, to editor: Editor) {
        if version <= last, !world.couldNotKnow(editor) {
            violate(.versions, "editor \(editor.number) is sent a scene \(version) after \(last)")
        }
    }

    func answerIsDue(isMissing: Bool, _ call: Editor.Call, _ editor: Editor) {
        guard isMissing, let instance = editor.instance, !world.hasBeenFrozen(instance) else {
            return
        }
        // Overtaken again and again: the simulated store cannot be held, as Redis can.
        if case .reconciling = instance.store.state { return }
        if world.hasBeenSlow(instance) { return }
        violate(.answers, "editor \(editor.number) got no answer in 5 s: \(call)")
    }

    // MARK: Losses

    /// Whether the edit, or what was done to its object after it, is in the room.
    static func has(_ edit: Edit, _ state: RoomState) -> Bool {
        guard state.control.epoch == edit.epoch else { return false }
        return modified(edit.uuid, state) >= edit.first
    }

    static func modified(_ uuid: String, _ state: RoomState) -> Version {
        max(state.scene.lastModified(of: uuid) ?? 0, state.scene.replacedAt)
    }

    /// After an instance or data of the store is gone: what nobody has any more is lost by rights.
    func excuseLosses() {
        let open = edits.values.filter { !$0.isExcused && $0.hadEffect }
        guard !open.isEmpty else { return }
        var holders: [String: [RoomState]] = [:]
        for room in world.roomNames {
            if let stored = world.storedState(room) { holders[room, default: []].append(stored) }
        }
        for instance in world.instances where !instance.hasCrashed {
            // A copy that nobody uses may be let go of as long as its instance knows of no trouble.
            let isUnaware = instance.store.state.isDurable
            for room in instance.rooms where !isUnaware || !room.connected.isEmpty {
                holders[room.state.control.id, default: []].append(room.state)
            }
        }
        for edit in open
        where !(holders[edit.room] ?? []).contains(where: { Self.has(edit, $0) }) {
            edits[edit.id]?.isExcused = true
        }
    }

    // MARK: Merges

    /// A merge is about to be carried out on `state`.
    func merges(_ batch: CommitBatch, into state: RoomState) {
        for entry in batch.entries {
            guard case .edited(let change, _) = entry.change, let edit = edits[entry.id] else {
                continue
            }
            let uuid: String
            switch change {
            case .objectUpdate(let object, _, _), .objectRemoval(let object): uuid = object
            default: continue
            }
            guard let stored = state.scene.lastModified(of: uuid) else { continue }
            let place = Place(room: batch.room, epoch: batch.epoch, version: stored)
            if edit.versions.max() ?? 0 <= firstSeen(place) {
                violate(
                    .merge,
                    "\(edit.id) of \(edit.versions) is put over \(uuid) of \(stored) in"
                        + " \(batch.room)")
            }
        }
    }

    /// The first version of what has this place now. A merge may make one entry into several, give it
    /// a new version, and bring a part of a scene, named after the version that it had there.
    private func firstSeen(_ place: Place) -> Version {
        guard let whole = mergedOwners[place] ?? owners[place] else { return place.version }
        let owner = whole.prefix { $0 != "~" }
        guard let sign = owner.lastIndex(of: "@"),
            let version = Version(owner[sign...].dropFirst()), version < place.version
        else { return origins[String(owner)] ?? place.version }
        return firstSeen(Place(room: place.room, epoch: place.epoch, version: version))
    }

    /// A merge was carried out; the instance that made it loads the room instead of folding it.
    func merged(_ batch: CommitBatch, first: Version) {
        for (index, entry) in batch.entries.enumerated() {
            let place = Place(
                room: batch.room, epoch: batch.epoch, version: first + Version(index))
            mergedOwners[place] = entry.id
            guard edits[entry.id]?.versions.contains(place.version) == false else { continue }
            edits[entry.id]?.versions.append(place.version)
            places[place, default: []].append(entry.id)
        }
    }

    // MARK: Now and then

    func sample() {
        let service = world.limits.service.limits
        var copies: [String: [(SimulatedInstance, RoomInspection)]] = [:]
        for instance in world.instances where !instance.hasCrashed {
            if instance.store.counts.localBytes > world.limits.store.localBytes {
                violate(.queues, "\(instance.id) holds \(instance.store.counts.localBytes) bytes")
            }
            for room in instance.rooms {
                copies[room.state.control.id, default: []].append((instance, room))
                // What was refused with a conflict is put back beyond the limit.
                if room.queuedOperations > service.queuedOperations + service.batchOperations {
                    violate(.queues, "\(room.queuedOperations) operations wait")
                }
                if room.heldEdits > service.heldEvents {
                    violate(.queues, "\(room.heldEdits) events are held")
                }
            }
        }
        for (name, copies) in copies.sorted(by: { $0.key < $1.key }) where copies.count > 1 {
            compare(copies, of: name)
        }
    }

    /// Copies at the same place of the same log are the same.
    private func compare(_ copies: [(SimulatedInstance, RoomInspection)], of name: String) {
        for (index, (one, room)) in copies.enumerated() {
            for (other, second) in copies[(index + 1)...] {
                guard one.store.state.isDurable, other.store.state.isDurable,
                    room.state.version == second.state.version,
                    room.state.control.epoch == second.state.control.epoch,
                    let last = chains["\(one.id)/\(name)"]?.lastID,
                    last == chains["\(other.id)/\(name)"]?.lastID
                else { continue }
                if room.state.control != second.state.control
                    || room.state.scene.contentHash != second.state.scene.contentHash
                {
                    violate(.equal, "\(name) at \(last) differs on \(one.id) and \(other.id)")
                }
            }
        }
    }

    private static func words(_ entry: RoomEntry) -> String {
        let what =
            switch entry.change {
            case .edited(.objectUpdate(let uuid, let data, let kind), _):
                "\(uuid) = \(data["object"]?["name"]?.string ?? "") (\(kind))"
            case .edited(.objectRemoval(let uuid), _): "\(uuid) removed"
            case .edited: "edit"
            case .uploaded: "upload"
            case .created: "created"
            case .joined(let member, let old, let isHost):
                "\(member.name) joined as \(member.id)\(isHost ? ", host" : "")"
                    + (old.map { ", was \($0)" } ?? "")
            case .left(let member, let cause, _): "\(member) left (\(cause))"
            case .renamed(let member, let name, _): "\(member) is \(name)"
            case .away(let member, let holder): "\(member) away at \(holder)"
            case .moved(let member, let holder): "\(member) moved to \(holder)"
            case .hostHandedOver(let member): "\(member) is host"
            case .deleted: "deleted"
            }
        return "\(what) [\(entry.id)]"
    }
}
