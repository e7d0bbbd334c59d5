import NIOCore
import RoomStore
import Rooms
import SocketIOServer

extension LiveRoom {
    // MARK: Away

    /// The connection of a member that may come back is gone: it stays a member for a while.
    func connectionBroke(_ socket: Socket) {
        eventLoop.assertInEventLoop()
        let memberID = socket.id
        // It may have another connection already.
        guard !isGone, links[memberID]?.socket === socket else { return }
        dropLink(memberID)
        submit(.markAway(memberID: memberID, holder: incarnation)) { _ in }
        let limits = environment.options.limits
        awaited[memberID]?.cancel()
        awaited[memberID] = eventLoop.scheduleTask(in: .milliseconds(limits.returnMilliseconds)) {
            [weak self] in self?.returnTimeEnded(memberID)
        }
    }

    private func returnTimeEnded(_ memberID: String) {
        // Who goes itself leaves them to the others, who give them their time.
        guard !isGone, awaited[memberID] != nil, !environment.isDraining else { return }
        awaited[memberID] = nil
        submit(.expire(memberID: memberID, holder: incarnation)) { _ in }
    }

    func stopAwaiting(_ memberID: String) {
        awaited.removeValue(forKey: memberID)?.cancel()
    }

    /// The member is another connection's from now on; the one here is of no use to anybody.
    func giveUpLink(_ memberID: String) {
        stopAwaiting(memberID)
        guard let link = links[memberID] else { return }
        dropLink(memberID)
        link.socket.closeTransport(.forcedClose)
    }

    // MARK: Back

    /// Looks whether somebody is the member that he was, and whether all that he missed can be told
    /// as events. `complete` is called on this loop: nil for a stranger.
    func lookBack(
        for proof: Joiner.Proof, since offset: RoomOffset,
        complete: @escaping ((name: String, isRecoverable: Bool)?) -> Void
    ) {
        eventLoop.assertInEventLoop()
        guard !isGone, control.epoch == offset.epoch, control.proves(proof),
            let member = control.members[proof.memberID]
        else { return complete(nil) }
        // Nobody was sent anything of the room before he joined.
        guard VersionClock.milliseconds(of: offset.version) >= member.joinedAt else {
            return complete((member.name, false))
        }
        recentUsedAt = environment.clock.elapsedMilliseconds
        switch recent?.tail(after: offset.version) ?? .unknown {
        case .entries(let entries): complete((member.name, isWithinLimits(entries)))
        case .untellable: complete((member.name, false))
        case .unknown:
            if offset.version == state.version, sequencer.applied == state.version {
                recent = RecentLog(start: state.version)
                return complete((member.name, true))
            }
            readBack(to: offset.version) { isRead in
                guard isRead else { return complete((member.name, false)) }
                self.lookBack(for: proof, since: offset, complete: complete)
            }
        }
    }

    private func isWithinLimits(_ entries: ArraySlice<VersionedEntry>) -> Bool {
        let limits = environment.options.limits
        return entries.count <= limits.recoveredEntries
            && entries.eventBytes <= limits.recoveredBytes
    }

    /// Reads the log from a version on into `recent`, one read at a time. `complete` is told whether
    /// it is worth looking there.
    private func readBack(to version: Version, complete: @escaping (Bool) -> Void) {
        readsBack.append(complete)
        guard readsBack.count == 1 else { return }
        // What comes while the log is read must not be missed.
        if recent == nil || recent?.isBroken == true { recent = RecentLog(start: state.version) }
        environment.store.read(id, epoch: control.epoch, after: version)
            .hop(to: eventLoop).whenComplete { self.readBackEnded($0, to: version) }
    }

    private func readBackEnded(_ result: Result<LogRead, any Error>, to version: Version) {
        var isRead = false
        if !isGone, case .success(.entries(let entries)) = result,
            let longer = recent?.extended(by: entries, from: version)
        {
            isRead = longer.tail(after: version).isKnown
            recent = longer
        }
        var waiting = readsBack
        readsBack = []
        waiting.removeFirst()(isRead)
        for next in waiting { next(true) }
    }

    /// Keeps what is applied, while somebody may want it.
    func remember(_ entries: [VersionedEntry]) {
        guard recent != nil else { return }
        recent?.append(entries)
        let limits = environment.options.limits
        let count = recent?.entries.count ?? 0
        if count > limits.recentEntries || recent?.byteCount ?? 0 > limits.recentBytes {
            recent = nil
        }
    }

    /// Lets go of what nobody has asked for in a while.
    func forgetRecent() {
        guard recent != nil, readsBack.isEmpty else { return }
        let idle = environment.clock.elapsedMilliseconds - recentUsedAt
        if idle > environment.options.limits.recentMilliseconds { recent = nil }
    }

    /// Makes the member the socket's: it is told what it missed, then what happens. `complete` is
    /// called on this loop; after `true` the socket is connected before it gets any of that.
    func claim(_ ticket: ReturnTicket, for socket: Socket, complete: @escaping (Bool) -> Void) {
        eventLoop.assertInEventLoop()
        let proof = ticket.proof
        let claim = RoomOperation.claim(
            memberID: proof.memberID, key: proof.key, holder: incarnation)
        submit(claim) { result in
            guard case .committed = result, let missed = self.missed(by: ticket) else {
                return complete(false)
            }
            self.environment.metrics.count(\.recoveries)
            complete(true)
            let link = self.makeLink(to: socket)
            self.add(link)
            for event in missed {
                socket.send(self.prepare(event.name, event.payload, at: event.version))
            }
            self.sendOwnList(to: link)
            self.enter(link)
        }
    }

    /// What the member, whom this instance now holds, missed up to this moment; nil if not all of it
    /// can be told.
    private func missed(by ticket: ReturnTicket) -> [MissedEvents.Event]? {
        let memberID = ticket.proof.memberID
        guard control.members[memberID]?.holder == incarnation, links[memberID] == nil,
            let recent, recent.end == state.version,
            case .entries(let entries) = recent.tail(after: ticket.offset.version),
            isWithinLimits(entries)
        else { return nil }
        return MissedEvents.make(
            of: entries, for: memberID, since: ticket.offset, in: control)
    }
}

extension RecentLog.Tail {
    fileprivate var isKnown: Bool {
        if case .unknown = self { false } else { true }
    }
}
