import JSON
import Rooms
import SocketIOServer

extension LiveRoom {
    /// What a run of entries asks for once all are folded.
    private struct Effects {
        var newcomers: [(memberID: String, socket: Socket)] = []
        var membershipChanged = false
        var membershipMirrored = false
        var uploader: String?
        var uploadMirrored = false
        /// Edits are folded in silence: the members get the whole scene for them.
        var isCatchingUp = false

        /// The version that a member has reached with the event of an entry; nil while he still
        /// waits for the scene of an earlier one.
        func place(of entry: VersionedEntry) -> Version? {
            uploader == nil && !isCatchingUp ? entry.version : nil
        }

        mutating func changeMembership(mirrored: Bool) {
            membershipChanged = true
            membershipMirrored = membershipMirrored || mirrored
        }
    }

    /// Folds entries that are in order, delivers them to the members here, then answers the commit
    /// in flight if it was among them.
    func apply(_ entries: [VersionedEntry]) {
        eventLoop.assertInEventLoop()
        if !entries.isEmpty {
            remember(entries)
            var effects = Effects()
            effects.isCatchingUp = isLongOverdue(entries)
            for entry in entries {
                applyOne(entry, &effects)
                if isGone { return }
            }
            environment.clock.observe(state.version)
            if effects.isCatchingUp {
                broadcastScene(except: nil, mirrored: effects.uploadMirrored)
            } else if let uploader = effects.uploader {
                broadcastScene(except: uploader, mirrored: effects.uploadMirrored)
            }
            for newcomer in effects.newcomers { welcome(newcomer.memberID, newcomer.socket) }
            if effects.membershipChanged {
                listChanged(
                    except: effects.newcomers.map(\.memberID),
                    mirrored: effects.membershipMirrored)
            }
        }
        answerCommitted()
    }

    /// What others did in an outage comes all at once when it is over. One scene says the same as
    /// many edits that nobody waits for any more.
    private func isLongOverdue(_ entries: [VersionedEntry]) -> Bool {
        let limits = environment.options.limits
        guard entries.count > limits.overdueEdits, let oldest = entries.first else { return false }
        let age = environment.clock.nowMilliseconds - VersionClock.milliseconds(of: oldest.version)
        guard age > limits.overdueMilliseconds else { return false }
        let edits = entries.count { if case .edited = $0.entry.change { true } else { false } }
        return edits > limits.overdueEdits
    }

    private func applyOne(_ entry: VersionedEntry, _ effects: inout Effects) {
        let mirrored = isMirrored(entry.entry)
        switch entry.entry.change {
        case .created, .deleted: fold(entry)
        case .joined(let member, let replacing, _):
            applyJoin(entry, member, replacing: replacing, &effects)
        case .left(let memberID, let cause, _): applyLeave(entry, memberID, cause, &effects)
        case .away: fold(entry)
        case .moved(let memberID, _):
            fold(entry)
            giveUpLink(memberID)
        case .renamed(let memberID, let name, _):
            let oldName = control.members[memberID]?.name
            fold(entry)
            guard let oldName, oldName != name else { return }
            broadcast(
                ServerEvent.userNameChanged,
                MemberEvents.renamed(memberID, to: name, from: oldName), except: [memberID],
                at: effects.place(of: entry), mirrored: mirrored)
            effects.changeMembership(mirrored: mirrored)
        case .hostHandedOver:
            fold(entry)
            effects.changeMembership(mirrored: mirrored)
        case .edited(let edit, let author):
            fold(entry)
            if !effects.isCatchingUp || mirrored {
                deliver(edit, by: author, entry, at: effects.place(of: entry))
            }
        case .uploaded(_, let author):
            fold(entry)
            links[author]?.dropHeldEdits()
            effects.uploader = author
            effects.uploadMirrored = effects.uploadMirrored || mirrored
        }
    }

    private func fold(_ entry: VersionedEntry) {
        state.fold(entry, limits: environment.options.room)
        switch entry.entry.change {
        case .edited(_, let author), .uploaded(_, let author):
            arrivals.note(author, at: environment.clock.elapsedMilliseconds)
        default: break
        }
        environment.witness?(.folded(entry), state)
    }

    private func applyJoin(
        _ entry: VersionedEntry, _ member: Member, replacing: String?, _ effects: inout Effects
    ) {
        let isNew = control.members[member.id] == nil
        let replaced = replacing.flatMap { control.members[$0] }
        fold(entry)
        guard isNew, control.members[member.id] != nil else { return }
        let mirrored = isMirrored(entry.entry)
        effects.changeMembership(mirrored: mirrored)
        if let replacing { giveUpLink(replacing) }
        if replaced == nil {
            broadcast(
                ServerEvent.userJoined,
                MemberEvents.joined(
                    member.id, member.name, userCount: control.members.count),
                except: [member.id], at: effects.place(of: entry), mirrored: mirrored)
        }
        if let socket = arriving.removeValue(forKey: member.id) {
            effects.newcomers.append((member.id, socket))
        }
    }

    private func applyLeave(
        _ entry: VersionedEntry, _ memberID: String, _ cause: LeaveCause,
        _ effects: inout Effects
    ) {
        let member = control.members[memberID]
        if cause == .swept, member?.holder == incarnation { return foundFenced() }
        fold(entry)
        guard let member else { return }
        if cause == .swept { environment.metrics.count(\.membersSwept) }
        stopAwaiting(memberID)
        dropLink(memberID)
        effects.newcomers.removeAll { $0.memberID == memberID }
        let mirrored = isMirrored(entry.entry)
        effects.changeMembership(mirrored: mirrored)
        broadcast(
            ServerEvent.userLeft,
            MemberEvents.left(memberID, member.name, userCount: control.members.count),
            except: [memberID], at: effects.place(of: entry), mirrored: mirrored)
    }

    /// Puts the room's stored state in the place of the copy here (after an outage).
    func replaceState(_ fresh: RoomState) {
        let before = control.members
        state = fresh
        replacements += 1
        sceneCache = nil
        recent = nil
        sequencer.restart(at: fresh.version)
        environment.witness?(.replaced, state)
        environment.clock.observe(fresh.version)
        for (memberID, link) in links where control.members[memberID] == nil {
            guard var member = before[memberID] else { continue }
            member.holder = incarnation
            let joiner = Joiner(member: member, verifiedHash: control.passwordHash)
            submit(.join(joiner)) { result in
                switch result {
                case .committed, .unchanged: break
                case .stale, .refused, .failed:
                    self.dropLink(memberID)
                    link.socket.closeTransport(.serverShutdown())
                }
            }
        }
        broadcastScene(except: nil, mirrored: false)
        listChanged(except: [], mirrored: false)
    }

    // MARK: Lists

    /// `users-list` and `user-count` to everybody here but those who just got theirs: at once, or
    /// once for many changes together.
    private func listChanged(except newcomers: [String], mirrored: Bool) {
        let now = environment.clock.elapsedMilliseconds
        let due = listSentAt + listInterval
        if now >= due {
            listSentAt = now
            return sendList(except: newcomers, mirrored: mirrored)
        }
        isListMirrored = isListMirrored || mirrored
        guard !isListScheduled else { return }
        isListScheduled = true
        eventLoop.scheduleTask(in: .milliseconds(due - now)) {
            let mirrored = self.isListMirrored
            self.isListScheduled = false
            self.isListMirrored = false
            self.listSentAt = self.environment.clock.elapsedMilliseconds
            self.sendList(except: [], mirrored: mirrored && !self.isGone)
        }
    }

    /// Milliseconds between two lists. Each goes whole to all, so it is longer in big rooms.
    private var listInterval: Int64 {
        let limits = environment.options.limits
        let bytes = Int64(links.count) * Int64(control.members.count) * Self.listEntryBytes
        let time = bytes * 1_000 / limits.listBytesPerSecond
        return min(max(time, limits.listMilliseconds), limits.listMillisecondsAtMost)
    }

    /// Of a member in the list, roughly.
    private static let listEntryBytes: Int64 = 100

    private func sendList(except: [String], mirrored: Bool) {
        broadcast(
            ServerEvent.usersList, usersList, except: except, at: state.version,
            mirrored: mirrored, .latest)
        broadcast(
            ServerEvent.userCount, .integer(control.members.count), except: except,
            at: state.version, mirrored: mirrored, .latest)
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

    private func deliver(
        _ edit: SceneEdit, by author: String, _ entry: VersionedEntry, at version: Version?
    ) {
        let key = EditEvents.holdKey(of: edit)
        if let link = links[author], !link.isHolding,
            inFlight?.overtaken.contains(entry.entry.id) == true
        {
            giveBack(edit, to: link, key: key, entry, at: version)
        }
        let isAlone = links.count == 1 && links[author] != nil && apart.isEmpty
        let isWanted = !links.isEmpty && !isAlone
        let mirrored = isMirrored(entry.entry)
        guard isWanted || mirrored else { return }
        let (name, payload) = EditEvents.delivery(
            of: edit, by: author, authorName: control.members[author]?.name, entry)
        let event = prepare(name, payload, at: version)
        if mirrored { mirror(event, except: [author]) }
        guard isWanted else { return }
        var except = [author]
        for (memberID, link) in apart {
            except.append(memberID)
            if !link.isHolding {
                if memberID != author { link.socket.send(event) }
            } else if memberID != author {
                holdBack(event, for: link, key: key)
            } else {
                giveBack(edit, to: link, key: key, entry, at: version)
            }
        }
        environment.namespace.to(socketRoom).except(except).emit(event)
    }

    /// An author who was just sent a scene without his edit has lost it by applying that scene. He
    /// gets it back, not marked as his own, since his client leaves those out (R27): as soon as he
    /// has applied the scene, or at once where the commit took longer than that.
    private func giveBack(
        _ edit: SceneEdit, to link: MemberLink, key: String?, _ entry: VersionedEntry,
        at version: Version?
    ) {
        if case .scriptAdded = edit { return sendScene(to: link, isInitial: false) }
        let (name, payload) = EditEvents.delivery(of: edit, by: nil, authorName: nil, entry)
        if link.isHolding { return holdBack(prepare(name, payload), for: link, key: key) }
        link.socket.send(prepare(name, payload, at: version))
        link.gaveBack(at: environment.clock.elapsedMilliseconds)
    }

    private func holdBack(_ event: PreparedEvent, for link: MemberLink, key: String?) {
        let limits = environment.options.limits
        link.holdBack(event, key: key, limits)
        guard environment.metrics.population.heldBytes > limits.heldBytesOfAll else { return }
        apart.values.max { $0.heldBytes < $1.heldBytes }?.wantScene()
    }

    // MARK: Sending

    /// - Parameter version: What a member has of the room with this event and those before it; nil
    ///   where nothing follows from it.
    func prepare(
        _ event: String, _ payload: JSONValue, at version: Version? = nil,
        followsScene: Bool = false
    ) -> PreparedEvent {
        PreparedEvent(
            event, [payload], namespace: environment.namespace.name,
            offset: offset(at: version, followsScene: followsScene))
    }

    /// What becomes of a notice to a member that reads too slowly.
    enum Urgency {
        case now
        /// Waits with what is held; the oldest of too many are left out.
        case waits
        /// As `waits`, in place of an earlier one of the same name.
        case latest
    }

    func broadcast(
        _ name: String, _ payload: JSONValue, except: [String], at version: Version? = nil,
        mirrored: Bool, _ urgency: Urgency = .waits
    ) {
        guard !links.isEmpty || mirrored else { return }
        let event = prepare(name, payload, at: version)
        if mirrored { mirror(event, except: except) }
        if !links.isEmpty { broadcast(event, except: except, urgency) }
    }

    /// To all members here but some, whether they apply a scene or not.
    func broadcast(_ event: PreparedEvent, except: [String], _ urgency: Urgency) {
        var passedBy = except
        for (memberID, link) in apart where !link.hasEntered || link.isLagging {
            passedBy.append(memberID)
            if except.contains(memberID) { continue }
            if urgency == .now || !link.isLagging {
                link.socket.send(event)
            } else {
                link.holdBackNotice(
                    event, key: urgency == .latest ? event.event : nil,
                    environment.options.limits)
            }
        }
        environment.namespace.to(socketRoom).except(passedBy).emit(event)
    }

    func announceEnd(_ message: String, deletedBy host: String?, mirrored: Bool) {
        let payload: JSONValue = [
            "roomId": .string(id), "message": .string(message),
            "deletedByHost": .bool(host != nil), "hostName": .optional(host),
        ]
        broadcast(ServerEvent.roomDeleted, payload, except: [], mirrored: mirrored, .now)
    }

    // MARK: Servers of other kinds

    /// Whether servers of other kinds are to hear of the entry from this instance: it committed the
    /// entry, and no other instance did.
    func isMirrored(_ entry: RoomEntry) -> Bool {
        environment.mirror != nil && entry.id.hasPrefix("\(incarnation)-")
    }

    func mirror(_ event: PreparedEvent, except: [String]) {
        environment.mirror?(event, BroadcastTarget(rooms: [socketRoom], except: Set(except)))
    }
}
