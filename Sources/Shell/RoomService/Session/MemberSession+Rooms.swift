import JSON
import NIOCore
import RoomStore
import Rooms
import SocketIOServer

extension MemberSession {
    // MARK: Create

    func create(_ request: Request, done: @escaping @Sendable () -> Void) {
        guard let draft = checkCreation(request) else { return done() }
        guard service.takeCreation(from: socket.handshake.limitedAddress) else {
            refuse(request, .rateLimited)
            return done()
        }
        guard service.directory.lastCount < environment.options.limits.rooms else {
            refuse(request, .creation)
            return done()
        }
        service.hash(draft.password).hop(to: socket.eventLoop).flatMap { hash in
            self.store(draft, passwordHash: hash)
        }.whenComplete { result in
            self.socket.eventLoop.execute {
                self.created(result, request, draft)
                done()
            }
        }
    }

    private struct CreationDraft: Sendable {
        var roomID: String
        var name: String
        var password: String?
        var upload: SceneUpload?
    }

    private func checkCreation(_ request: Request) -> CreationDraft? {
        var errors: [String] = []
        let messages = environment.messages
        let payload = request.payload
        guard payload.kind == .object else {
            refuse(request, RequestProblem(code: .validation, field: .payload))
            return nil
        }
        let roomID = payload["roomId"]?.string ?? ""
        if !RoomRules.isValidRoomID(roomID) { errors.append(messages.field(.roomID)) }
        var password: String?
        if let given = payload["password"], !given.isNull {
            password = given.string
            if !RoomRules.isAcceptablePassword(password) {
                errors.append(messages.field(.password))
            }
        }
        var upload: SceneUpload?
        if let editor = payload["editor"], !editor.isNull, editor != .emptyObject {
            do throws(SceneError) {
                upload = try SceneUpload(checking: editor)
            } catch {
                errors.append(messages.field(.editor(error.description)))
            }
        }
        guard errors.isEmpty else {
            refuse(request, .validation, message: errors.joined(separator: ". "), errors: errors)
            return nil
        }
        let name = RoomRules.displayName(payload["userName"]?.string)
        return CreationDraft(roomID: roomID, name: name, password: password, upload: upload)
    }

    private func store(
        _ draft: CreationDraft, passwordHash: String?
    ) -> EventLoopFuture<RoomShard.CreationResult> {
        let environment = environment
        let proposed = environment.clock.next()
        let creator = Member(
            id: socket.id, name: draft.name, credential: credential,
            holder: environment.identity.incarnation,
            joinedAt: environment.clock.nowMilliseconds, returnKey: returnKey)
        let entry = RoomEntry(
            id: environment.makeOperationID(),
            change: .created(creator: creator, passwordHash: passwordHash, editor: draft.upload))
        var control = RoomControl(id: draft.roomID, epoch: proposed)
        control.fold(VersionedEntry(version: proposed, previous: 0, entry: entry))
        let request = CreateRequest(
            room: draft.roomID, origin: creator.holder, entries: [entry], proposed: proposed,
            summary: RoomSummary(control))
        let shard = service.registry.shard(for: draft.roomID)
        let socket = socket
        return shard.eventLoop.flatSubmit {
            shard.create(request).map { result in
                if case .created(let room) = result { room.admitCreator(socket) }
                return result
            }
        }
    }

    private func created(
        _ result: Result<RoomShard.CreationResult, any Error>, _ request: Request,
        _ draft: CreationDraft
    ) {
        switch result {
        case .success(.created(let room)):
            environment.metrics.count(\.roomsCreated)
            service.directory.noteChange()
            name = draft.name
            moveTo(room)
            request.succeed(version: nil)
        case .success(.exists): refuse(request, .roomExists)
        case .success(.fenced):
            refuse(request, .creation)
            environment.onFenced(environment.identity.incarnation)
        case .failure(let error):
            environment.logger.debug("create failed", metadata: ["error": "\(error)"])
            let code = (error as? ServiceBusy) == nil ? ErrorCode.creation : .rateLimited
            refuse(request, code)
        }
    }

    /// From now on the client is in `room`; it leaves the one it was in.
    private func moveTo(_ room: LiveRoom) {
        let old = self.room
        moved(to: room)
        guard let old, old !== room else { return }
        let memberID = socket.id
        old.eventLoop.execute { old.depart(memberID, .left) }
    }

    // MARK: Join

    func join(_ request: Request, done: @escaping @Sendable () -> Void) {
        guard let roomID = request.roomID, RoomRules.isValidRoomID(roomID) else {
            refuse(request, RequestProblem(code: .validation, field: .roomID))
            return done()
        }
        if let given = request.payload["userName"] {
            name = RoomRules.displayName(given.string)
        }
        let attempt = JoinAttempt(
            session: self, roomID: roomID, password: request.payload["password"]?.string)
        let answered = NIOLoopBoundBox(false, eventLoop: socket.eventLoop)
        let limit = socket.eventLoop.scheduleTask(in: Self.joinLimit) {
            answered.value = true
            self.refuse(request, .join)
        }
        attempt.start { result in
            self.socket.eventLoop.execute {
                limit.cancel()
                self.joined(result, request, isTooLate: answered.value)
                done()
            }
        }
    }

    /// By when a join is answered, whatever becomes of it (R35).
    private static let joinLimit: TimeAmount = .milliseconds(4_800)

    private func joined(_ result: JoinAttempt.Outcome, _ request: Request, isTooLate: Bool) {
        switch result {
        case .success(let room) where isTooLate && room !== self.room:
            // The client has been told that it is not in.
            let memberID = socket.id
            room.eventLoop.execute { room.depart(memberID, .disconnected) }
        case .success(let room):
            moveTo(room)
            request.succeed()
        case .failure where isTooLate: break
        case .failure(let code): refuse(request, code)
        }
    }

    /// The member that this client would be.
    func makeMember() -> Member {
        Member(
            id: socket.id, name: name, credential: credential,
            holder: environment.identity.incarnation,
            joinedAt: environment.clock.nowMilliseconds, returnKey: returnKey)
    }

    /// What the room keeps of the client's secret.
    private var returnKey: String { socket.pid.map(ReturnKey.of) ?? "" }

    // MARK: Back after a break

    /// The client was in a room before. It still is, or the server brings it in again in the place
    /// of the member that it was: `joined-room`, scene and lists without its asking. What it asks
    /// meanwhile waits. If it cannot be brought in it is as new, and is told nothing.
    func comeBack(by ticket: ReturnTicket) {
        name = ticket.name
        if socket.isRecovered {
            return moved(to: ticket.room)
        }
        let attempt = JoinAttempt(
            session: self, roomID: ticket.room.id, password: nil, proof: ticket.proof)
        exclusively { done in
            attempt.start { result in
                self.socket.eventLoop.execute {
                    if case .success(let room) = result {
                        self.environment.metrics.count(\.recoveriesByScene)
                        self.moveTo(room)
                    }
                    done()
                }
            }
        }
    }

    // MARK: Leave, delete, rename

    func leave(_ request: Request, done: @escaping @Sendable () -> Void) {
        guard let roomID = request.roomID else {
            refuse(request, RequestProblem(code: .validation, field: .payload))
            return done()
        }
        guard let room, room.id == roomID else {
            refuse(request, .userNotInRoom)
            return done()
        }
        let memberID = socket.id
        onRoom(room, .leave(memberID: memberID, cause: .left)) { result in
            switch result {
            case .committed, .unchanged:
                self.room = nil
                self.service.directory.noteChange()
                self.socket.emit(
                    ServerEvent.leftRoom, ["success": true, "roomId": .string(roomID)])
                request.succeed()
            default: self.refuse(request, result)
            }
            done()
        }
    }

    func delete(_ request: Request, done: @escaping @Sendable () -> Void) {
        guard let roomID = request.roomID, RoomRules.isValidRoomID(roomID) else {
            refuse(request, RequestProblem(code: .validation, field: .roomID))
            return done()
        }
        guard let room, room.id == roomID else {
            service.registry.room(roomID).hop(to: socket.eventLoop).whenComplete { result in
                switch result {
                case .success(nil): self.refuse(request, .roomNotFound)
                case .success: self.refuse(request, .notHost)
                case .failure: self.refuse(request, .delete)
                }
                done()
            }
            return
        }
        onRoom(room, .delete(by: socket.id)) { result in
            switch result {
            case .committed, .unchanged:
                self.room = nil
                self.service.directory.noteChange()
                request.succeed()
            case .refused(.notMember): self.refuse(request, .notHost)
            case .failed(.roomNotFound): self.refuse(request, .roomNotFound)
            case .failed: self.refuse(request, .delete)
            default: self.refuse(request, result)
            }
            done()
        }
    }

    func rename(_ request: Request) {
        guard request.payload.kind == .object else {
            return refuse(request, RequestProblem(code: .validation, field: .payload))
        }
        let newName = RoomRules.displayName(request.payload["userName"]?.string)
        guard let room = roomNamed(in: request) else {
            return refuse(request, .userNotInRoom)
        }
        name = newName
        onRoom(room, .rename(memberID: socket.id, name: newName)) { result in
            switch result {
            case .committed(let version): request.succeed(version: version)
            case .unchanged: request.succeed()
            default: self.refuse(request, result)
            }
        }
    }

    // MARK: Reaching the room

    /// The client's room, if the request names it.
    func roomNamed(in request: Request) -> LiveRoom? {
        guard let room, request.roomID == room.id else { return nil }
        return room
    }

    /// Submits an operation on the room's loop; `complete` runs on the socket's.
    func onRoom(
        _ room: LiveRoom, _ operation: RoomOperation,
        complete: @escaping @Sendable (OperationResult) -> Void
    ) {
        let socketLoop = socket.eventLoop
        room.eventLoop.execute {
            room.submit(operation) { result in
                if socketLoop.inEventLoop {
                    complete(result)
                } else {
                    socketLoop.execute { complete(result) }
                }
            }
        }
    }
}
