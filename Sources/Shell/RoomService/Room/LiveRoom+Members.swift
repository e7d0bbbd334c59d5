import JSON
import Rooms
import SocketIOServer

extension LiveRoom {
    /// Lets a socket in. `complete` is called after the member has been welcomed, or refused.
    func join(
        _ socket: Socket, as joiner: Joiner, complete: @escaping (OperationResult) -> Void
    ) {
        eventLoop.assertInEventLoop()
        let memberID = joiner.member.id
        if let link = links[memberID] {
            greetAgain(link)
            return complete(.unchanged)
        }
        var joiner = joiner
        joiner.member.holder = incarnation
        arriving[memberID] = socket
        submit(.join(joiner)) { result in
            self.arriving[memberID] = nil
            switch result {
            case .committed, .unchanged: complete(self.letIn(memberID, socket, result))
            case .stale, .refused, .failed: complete(result)
            }
        }
    }

    /// A member whose entry came otherwise than as the answer to its join (with a snapshot, or of
    /// an attempt that was taken for failed) has not been welcomed yet.
    private func letIn(
        _ memberID: String, _ socket: Socket, _ result: OperationResult
    ) -> OperationResult {
        guard control.members[memberID] != nil else { return .failed(.join) }
        if links[memberID] == nil { welcome(memberID, socket) }
        return result
    }

    /// The member's connection is gone, or goes to another room: nothing more is sent to it,
    /// whether or not the store takes note at once. If it does not, `removeUnconnected` does it.
    func depart(_ memberID: String, _ cause: LeaveCause) {
        eventLoop.assertInEventLoop()
        dropLink(memberID)
        submit(.leave(memberID: memberID, cause: cause)) { _ in }
    }

    /// Takes members off that this incarnation holds without a connection, now and at the last
    /// look: their leaving could not be stored, or the answer to their joining was lost.
    func removeUnconnected() {
        eventLoop.assertInEventLoop()
        guard !isGone, control.holders[incarnation, default: 0] > links.count else {
            return unconnected = []
        }
        let found = control.members.values.filter {
            $0.holder == incarnation && links[$0.id] == nil && arriving[$0.id] == nil
                && awaited[$0.id] == nil
        }
        let ids = Set(found.map(\.id))
        let overdue = isSettled ? ids.intersection(unconnected) : []
        unconnected = ids
        for memberID in overdue {
            submit(.leave(memberID: memberID, cause: .disconnected)) { _ in }
        }
    }

    func makeLink(to socket: Socket) -> MemberLink {
        MemberLink(
            socket: socket, metrics: environment.metrics,
            at: environment.clock.elapsedMilliseconds)
    }

    /// Takes in the creator of a room that was just made.
    func admitCreator(_ socket: Socket) {
        eventLoop.assertInEventLoop()
        let link = makeLink(to: socket)
        add(link)
        let payload: JSONValue = [
            "roomId": .string(id), "isHost": true,
            "userCount": .integer(control.members.count), "hasEditor": true,
        ]
        socket.emit(ServerEvent.roomCreated, payload)
        sendOwnList(to: link)
        enter(link)
    }

    /// The order of R15: `joined-room`, scene, lists; then the room's events.
    func welcome(_ memberID: String, _ socket: Socket) {
        let link = makeLink(to: socket)
        add(link)
        sendJoined(to: link)
        if hasScene { sendScene(to: link, isInitial: true) }
        sendOwnList(to: link)
        enter(link)
    }

    /// The socket joins on its own loop. A broadcast begun here before that has happened may pass
    /// it by.
    func enter(_ link: MemberLink) {
        link.socket.join(socketRoom)
        guard !link.socket.eventLoop.inEventLoop else { return entered(link) }
        let memberID = link.socket.id
        link.socket.eventLoop.execute {
            self.eventLoop.execute {
                guard let link = self.links[memberID] else { return }
                self.entered(link)
            }
        }
    }

    private func entered(_ link: MemberLink) {
        link.hasEntered = true
        setApart(link)
    }

    /// The second `join-room` of a socket that is in already (R14).
    private func greetAgain(_ link: MemberLink) {
        sendJoined(to: link)
        sendOwnList(to: link)
    }

    private func sendJoined(to link: MemberLink) {
        let payload: JSONValue = [
            "roomId": .string(id), "isHost": .bool(control.hostID == link.socket.id),
            "userCount": .integer(control.members.count), "hasEditor": .bool(hasScene),
        ]
        link.socket.emit(ServerEvent.joinedRoom, payload)
    }

    func sendOwnList(to link: MemberLink) {
        // A scene that went before has told the place.
        let version = link.isHolding ? nil : state.version
        let count = JSONValue.integer(control.members.count)
        link.socket.send(prepare(ServerEvent.usersList, usersList, at: version))
        link.socket.send(prepare(ServerEvent.userCount, count, at: version))
    }
}
