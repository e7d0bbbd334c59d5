import JSON
import Rooms
import SocketIOServer

extension LiveRoom {
    /// Lets a socket in. `complete` is called after the member has been welcomed, or refused.
    func join(
        _ socket: Socket, as joiner: Joiner, complete: @escaping (OperationResult) -> Void
    ) {
        eventLoop.assertInEventLoop()
        if let link = links[joiner.member.id] {
            greetAgain(link)
            return complete(.unchanged)
        }
        arriving[joiner.member.id] = socket
        submit(.join(joiner)) { result in
            self.arriving[joiner.member.id] = nil
            complete(result)
        }
    }

    /// Takes in the creator of a room that was just made.
    func admitCreator(_ socket: Socket) {
        eventLoop.assertInEventLoop()
        let link = MemberLink(socket: socket)
        links[socket.id] = link
        let payload: JSONValue = [
            "roomId": .string(id), "isHost": true,
            "userCount": .integer(control.members.count), "hasEditor": true,
        ]
        socket.emit(ServerEvent.roomCreated, payload)
        sendOwnList(to: link)
        socket.join(socketRoom)
    }

    /// The order of R15: `joined-room`, scene, lists; then the room's events.
    func welcome(_ link: MemberLink) {
        sendJoined(to: link)
        if hasScene { sendScene(to: link, isInitial: true) }
        sendOwnList(to: link)
        link.socket.join(socketRoom)
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

    private func sendOwnList(to link: MemberLink) {
        link.socket.emit(ServerEvent.usersList, usersList)
        link.socket.emit(ServerEvent.userCount, .integer(control.members.count))
    }
}
