import JSON
import Rooms
import SocketIOServer

extension LiveRoom {
    /// What a run of entries asks for once all are folded.
    private struct Effects {
        var newcomers: [MemberLink] = []
        var membershipChanged = false
        var uploader: String?
    }

    /// Folds entries that are in order, delivers them to the members here, then answers the commit
    /// in flight if it was among them.
    func apply(_ entries: [VersionedEntry]) {
        eventLoop.assertInEventLoop()
        if !entries.isEmpty {
            var effects = Effects()
            for entry in entries { applyOne(entry, &effects) }
            environment.clock.observe(state.version)
            if let uploader = effects.uploader { broadcastScene(except: uploader) }
            for link in effects.newcomers { welcome(link) }
            if effects.membershipChanged { listChanged(except: effects.newcomers) }
        }
        answerCommitted()
    }

    private func applyOne(_ entry: VersionedEntry, _ effects: inout Effects) {
        switch entry.entry.change {
        case .created, .deleted: fold(entry)
        case .joined(let member, let replacing, _):
            applyJoin(entry, member, replacing: replacing, &effects)
        case .left(let memberID, let cause): applyLeave(entry, memberID, cause, &effects)
        case .renamed(let memberID, let name):
            let oldName = control.members[memberID]?.name
            fold(entry)
            guard let oldName, oldName != name else { return }
            let payload: JSONValue = [
                "userId": .string(memberID), "userName": .string(name),
                "oldName": .string(oldName),
            ]
            broadcast(ServerEvent.userNameChanged, payload, except: [memberID])
            effects.membershipChanged = true
        case .hostHandedOver:
            fold(entry)
            effects.membershipChanged = true
        case .edited(let edit, let author):
            fold(entry)
            deliver(edit, by: author, entry)
        case .uploaded(_, let author):
            fold(entry)
            effects.uploader = author
        }
    }

    private func fold(_ entry: VersionedEntry) {
        state.fold(entry, limits: environment.options.room)
    }

    private func applyJoin(
        _ entry: VersionedEntry, _ member: Member, replacing: String?, _ effects: inout Effects
    ) {
        let isNew = control.members[member.id] == nil
        let replaced = replacing.flatMap { control.members[$0] }
        fold(entry)
        guard isNew, control.members[member.id] != nil else { return }
        effects.membershipChanged = true
        if let replacing { dropLink(replacing) }
        if replaced == nil {
            let payload: JSONValue = [
                "userId": .string(member.id), "userName": .string(member.name),
                "userCount": .integer(control.members.count),
            ]
            broadcast(ServerEvent.userJoined, payload, except: [member.id])
        }
        if let socket = arriving.removeValue(forKey: member.id) {
            let link = MemberLink(socket: socket)
            links[member.id] = link
            effects.newcomers.append(link)
        }
    }

    private func applyLeave(
        _ entry: VersionedEntry, _ memberID: String, _ cause: LeaveCause,
        _ effects: inout Effects
    ) {
        let member = control.members[memberID]
        fold(entry)
        guard let member else { return }
        if cause == .swept { environment.metrics.count(\.membersSwept) }
        dropLink(memberID)
        effects.newcomers.removeAll { $0.socket.id == memberID }
        effects.membershipChanged = true
        let payload: JSONValue = [
            "userId": .string(memberID), "userName": .string(member.name),
            "userCount": .integer(control.members.count),
        ]
        broadcast(ServerEvent.userLeft, payload, except: [memberID])
    }

    func dropLink(_ memberID: String) {
        guard let link = links.removeValue(forKey: memberID) else { return }
        link.cancel()
        link.socket.leave(socketRoom)
        idleSince = environment.clock.elapsedMilliseconds
    }

    /// Puts the room's stored state in the place of the copy here (after an outage).
    func replaceState(_ fresh: RoomState) {
        let before = control.members
        state = fresh
        sceneCache = nil
        sequencer.restart(at: fresh.version)
        environment.clock.observe(fresh.version)
        for (memberID, _) in links where control.members[memberID] == nil {
            guard var member = before[memberID] else { continue }
            member.holder = environment.identity.incarnation
            let joiner = Joiner(member: member, verifiedHash: control.passwordHash)
            submit(.join(joiner)) { _ in }
        }
        broadcastScene(except: nil)
        listChanged(except: [])
    }

    // MARK: Lists

    /// `users-list` and `user-count` to everybody here but those who just got theirs: at once, or
    /// at the latest after a tenth of a second, for many changes together.
    private func listChanged(except newcomers: [MemberLink]) {
        let now = environment.clock.elapsedMilliseconds
        if now - listSentAt >= Self.listInterval {
            listSentAt = now
            sendList(except: newcomers.map(\.socket.id))
        } else if !isListScheduled {
            isListScheduled = true
            eventLoop.scheduleTask(in: .milliseconds(Self.listInterval)) {
                self.isListScheduled = false
                self.listSentAt = self.environment.clock.elapsedMilliseconds
                self.sendList(except: [])
            }
        }
    }

    private static let listInterval: Int64 = 100

    private func sendList(except: [String]) {
        broadcast(ServerEvent.usersList, usersList, except: except)
        broadcast(ServerEvent.userCount, .integer(control.members.count), except: except)
    }

    var usersList: JSONValue {
        .array(
            control.membersBySeniority.map { member in
                [
                    "id": .string(member.id), "name": .string(member.name),
                    "role": member.id == control.hostID ? "host" : "guest",
                    "joinedAt": .int(member.joinedAt),
                ]
            })
    }

    // MARK: Edits

    private func deliver(_ edit: SceneEdit, by author: String, _ entry: VersionedEntry) {
        guard !links.isEmpty else { return }
        let (name, payload) = EditEvents.delivery(
            of: edit, by: author, authorName: control.members[author]?.name, entry)
        let event = prepare(name, payload)
        let key = EditEvents.holdKey(of: edit)
        var except = [author]
        for (memberID, link) in links where link.isHolding {
            except.append(memberID)
            guard memberID != author else { continue }
            link.holdBack(event, key: key, limit: environment.options.limits.heldEvents)
        }
        environment.namespace.to(socketRoom).except(except).emit(event)
    }

    // MARK: Sending

    func prepare(_ event: String, _ payload: JSONValue) -> PreparedEvent {
        PreparedEvent(event, [payload], namespace: environment.namespace.name)
    }

    func broadcast(_ event: String, _ payload: JSONValue, except: [String]) {
        guard !links.isEmpty else { return }
        environment.namespace.to(socketRoom).except(except).emit(prepare(event, payload))
    }

    func announceEnd(_ message: String, deletedBy host: String?) {
        let payload: JSONValue = [
            "roomId": .string(id), "message": .string(message),
            "deletedByHost": .bool(host != nil), "hostName": .optional(host),
        ]
        broadcast(ServerEvent.roomDeleted, payload, except: [])
    }
}
