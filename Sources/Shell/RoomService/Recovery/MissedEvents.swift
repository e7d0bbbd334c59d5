import JSON
import Rooms

/// The events by which members were told of entries, made again for one who missed them.
enum MissedEvents {
    struct Event: Equatable {
        var name: String
        var payload: JSONValue
        /// The place in the log that the client has reached with it.
        var version: Version
    }

    /// - Parameters:
    ///   - entries: All after `offset`, up to the version of `control`.
    ///   - memberID: Who missed them; what he did himself is left out.
    ///   - offset: How far he had come.
    ///   - control: The room as it is after the entries. How it was before each is counted back
    ///     from it.
    /// - Returns: in order; nil where the entries do not say all that the events said.
    static func make(
        of entries: ArraySlice<VersionedEntry>, for memberID: String, since offset: RoomOffset,
        in control: RoomControl
    ) -> [Event]? {
        var past = Past(control)
        var events: [Event] = []
        for entry in entries.reversed() {
            switch past.event(of: entry, for: memberID, since: offset) {
            case .untellable: return nil
            case .none: break
            case .event(let name, let payload):
                events.append(Event(name: name, payload: payload, version: entry.version))
            }
        }
        return events.reversed()
    }

    private enum Telling {
        case none
        case event(String, JSONValue)
        case untellable
    }

    /// Who was in the room, on the way back through the log.
    private struct Past {
        private var names: [String: String]
        private var count: Int

        init(_ control: RoomControl) {
            names = control.members.mapValues(\.name)
            count = control.members.count
        }

        /// What was told of the entry; from then on the past is as it was before it.
        mutating func event(
            of entry: VersionedEntry, for memberID: String, since offset: RoomOffset
        ) -> Telling {
            switch entry.entry.change {
            case .edited(let edit, let author):
                if author == memberID { return giveBack(edit, entry, since: offset) }
                let (name, payload) = EditEvents.delivery(
                    of: edit, by: author, authorName: names[author], entry)
                return .event(name, payload)
            case .joined(let member, let replacing, _):
                guard names.removeValue(forKey: member.id) != nil else { return .untellable }
                if let replacing {
                    // The same person under another connection.
                    names[replacing] = member.name
                    return .none
                }
                defer { count -= 1 }
                return .event(
                    ServerEvent.userJoined,
                    MemberEvents.joined(member.id, member.name, userCount: count))
            case .left(let leaverID, _, let name):
                guard !name.isEmpty, leaverID != memberID else { return .untellable }
                names[leaverID] = name
                defer { count += 1 }
                return .event(
                    ServerEvent.userLeft, MemberEvents.left(leaverID, name, userCount: count))
            case .renamed(let renamedID, let name, let oldName):
                guard names[renamedID] != nil else { return .none }
                guard !oldName.isEmpty else { return .untellable }
                names[renamedID] = oldName
                guard renamedID != memberID, oldName != name else { return .none }
                return .event(
                    ServerEvent.userNameChanged,
                    MemberEvents.renamed(renamedID, to: name, from: oldName))
            case .away, .moved, .hostHandedOver: return .none
            case .created, .uploaded, .deleted: return .untellable
            }
        }

        /// Own edits that crossed a full scene on the way were lost to the client by applying it.
        private func giveBack(
            _ edit: SceneEdit, _ entry: VersionedEntry, since offset: RoomOffset
        ) -> Telling {
            let age = entry.milliseconds - VersionClock.milliseconds(of: offset.version)
            guard offset.followsScene, age < LiveRoom.crossingMilliseconds else { return .none }
            if case .scriptAdded = edit { return .untellable }
            let (name, payload) = EditEvents.delivery(of: edit, by: nil, authorName: nil, entry)
            return .event(name, payload)
        }
    }
}
