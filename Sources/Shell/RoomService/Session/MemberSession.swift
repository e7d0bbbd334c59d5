import JSON
import Logging
import NIOCore
import Rooms
import SocketIOServer

/// One client of the room service: takes its events in order and answers each.
///
/// A request that changes in which room the client is (create, join, leave, delete) is ended
/// before the next event is looked at; edits are passed to the room's queue without waiting.
///
/// `@unchecked Sendable`: mutable state is touched on the socket's loop only, asserted in
/// `handle`; rooms are reached by hopping to their loop and back.
final class MemberSession: SocketDelegate, @unchecked Sendable {
    let socket: Socket
    let service: RoomService
    let credential: String
    let address: String
    var name = RoomRules.anonymousName
    /// The room that the client is in, at most one (R36).
    var room: LiveRoom?
    private(set) var isClosed = false
    /// What the room was told of the connection: that it is backed up.
    private var isLagging = false
    /// The client is gone, and may come back by itself.
    private var mayReturn = false
    private var isBusy = false
    private var waiting: [Request] = []
    private var waitingBytes = 0
    private var events: TokenBucket
    /// Shared with the other sockets of the address; nil for a trusted address.
    private let addressEvents: AddressBudget?
    private var notices: TokenBucket

    init(socket: Socket, service: RoomService) {
        self.socket = socket
        self.service = service
        address = socket.handshake.remoteAddress
        credential = ResumeCookie.credential(of: ResumeCookie.token(of: socket.handshake))
        let limits = service.environment.options.limits
        let now = service.environment.clock.elapsedMilliseconds
        events = TokenBucket(rate: limits.eventsPerSecond, burst: limits.eventBurst, now: now)
        addressEvents = socket.handshake.limitedAddress.map {
            service.addressBudgets.obtain($0, at: now)
        }
        notices = TokenBucket(
            rate: limits.noticesPerSecond, burst: limits.noticesPerSecond * 5, now: now)
    }

    var environment: RoomEnvironment { service.environment }

    /// The client is in a room now.
    func moved(to room: LiveRoom) {
        self.room = room
        isLagging = false
        tellLag()
    }

    /// Tells the room if the client has begun, or ceased, to read too slowly.
    private func tellLag() {
        guard let room, socket.isBackedUp != isLagging else { return }
        isLagging.toggle()
        room.eventLoop.execute { [id = socket.id, isLagging] in room.lag(id, isLagging) }
    }

    // MARK: From the socket

    func socket(_ socket: Socket, received event: SocketEvent) {
        guard let name = ClientEvent.named(event.name) else { return }
        handle(Request(name, event))
    }

    func socket(_ socket: Socket, dropped message: OversizedMessage) { refuseOversized(message) }

    /// A burst that the kernel takes within the same turn is no lag.
    func socketBackedUp(_ socket: Socket) { socket.eventLoop.execute { self.tellLag() } }

    func socketBecameWritable(_ socket: Socket) { tellLag() }

    func socket(_ socket: Socket, disconnected reason: DisconnectReason) { closed(reason) }

    private func handle(_ request: Request) {
        socket.eventLoop.assertInEventLoop()
        let now = environment.clock.elapsedMilliseconds
        guard events.take(at: now), addressEvents?.take(at: now) ?? true else {
            environment.metrics.count(\.rateLimited)
            return refuse(request, .rateLimited)
        }
        guard isBusy else { return process(request) }
        let limits = environment.options.limits
        let bytes = request.payload.bytes.count
        let hasRoom = waiting.isEmpty || waitingBytes + bytes <= limits.waitingBytes
        guard waiting.count < limits.waitingRequests, hasRoom else {
            environment.metrics.count(\.rateLimited)
            return refuse(request, .rateLimited)
        }
        waiting.append(request)
        waitingBytes += bytes
    }

    private func process(_ request: Request) {
        switch request.event {
        case .createRoom: exclusively { self.create(request, done: $0) }
        case .joinRoom: exclusively { self.join(request, done: $0) }
        case .leaveRoom: exclusively { self.leave(request, done: $0) }
        case .deleteRoom: exclusively { self.delete(request, done: $0) }
        case .getRooms: listRooms(request)
        case .userNameChange: rename(request)
        case .requestEditorSync: sendScene(request)
        case .syncFullEditor: upload(request)
        case .ping:
            sendPong()
            request.succeed()
        case .userActivity: request.succeed()
        case .getUserInfo: sendUserInfo(request)
        case .getUserStats: sendUserStats(request)
        default: edit(request)
        }
    }

    /// Runs a request that later ones wait for. `done` may be called from any thread, once.
    func exclusively(_ body: (_ done: @escaping @Sendable () -> Void) -> Void) {
        isBusy = true
        body { [eventLoop = socket.eventLoop] in
            // Always by a new turn of the loop: a run of requests cannot build a deep stack.
            eventLoop.execute {
                self.isBusy = false
                self.processWaiting()
            }
        }
    }

    private func processWaiting() {
        while !isBusy, !isClosed, !waiting.isEmpty {
            let request = waiting.removeFirst()
            waitingBytes -= request.payload.bytes.count
            process(request)
        }
        if isClosed, !isBusy { leaveAfterClose() }
    }

    private func closed(_ reason: DisconnectReason) {
        isClosed = true
        if case .transport = reason { mayReturn = socket.pid != nil }
        for request in waiting { request.fail(.internalError, "disconnected") }
        waiting.removeAll()
        waitingBytes = 0
        addressEvents.map(service.addressBudgets.release)
        service.sessionClosed(self)
        if !isBusy { leaveAfterClose() }
    }

    /// Takes the client out of its room once its connection is gone and nothing is under way.
    private func leaveAfterClose() {
        guard let room else { return }
        self.room = nil
        let socket = socket
        if mayReturn {
            room.eventLoop.execute { room.connectionBroke(socket) }
        } else {
            room.eventLoop.execute { room.depart(socket.id, .disconnected) }
        }
    }

    // MARK: Answers

    /// Refuses a request: the event of its kind, and its ack callback.
    func refuse(
        _ request: Request, _ code: ErrorCode, message: String? = nil, errors: [String] = []
    ) {
        let message = message ?? environment.messages.text(code)
        request.fail(code, message)
        guard notices.take(at: environment.clock.elapsedMilliseconds) else { return }
        var payload = JSONMembers([
            ("error", .string(message)), ("code", .string(code.rawValue)),
            ("timestamp", .int(environment.clock.nowMilliseconds)),
        ])
        if let roomID = request.roomID, RoomRules.isValidRoomID(roomID) {
            payload.append("roomId", .string(roomID))
        }
        if !errors.isEmpty { payload.append("errors", .array(errors.map { .string($0) })) }
        if request.event == .leaveRoom { payload.append("success", false) }
        socket.emit(request.event.failureEvent, .object(payload))
    }

    func refuse(_ request: Request, _ problem: RequestProblem) {
        let message = environment.messages.field(problem.field)
        refuse(request, problem.code, message: message, errors: [message])
    }

    /// The refusal for the result of an operation that did not succeed.
    func refuse(_ request: Request, _ result: OperationResult) {
        switch result {
        case .refused(.invalidPassword): refuse(request, .invalidPassword)
        case .refused(.roomFull): refuse(request, .roomFull)
        case .refused(.notMember): refuse(request, .userNotInRoom)
        case .refused(.notHost): refuse(request, .notHost)
        case .failed(.roomNotFound) where request.event.malformedCode == .missingData:
            refuse(request, .userNotInRoom)
        case .failed(let code): refuse(request, code)
        case .committed, .unchanged, .stale: refuse(request, .internalError)
        }
    }

    private func refuseOversized(_ message: OversizedMessage) {
        environment.metrics.count(\.oversizedMessages)
        let event = message.event.flatMap(ClientEvent.named) ?? .objectUpdate
        let text = environment.messages.text(.tooLarge)
        message.acknowledge?([
            "ok": false,
            "error": ["code": .string(ErrorCode.tooLarge.rawValue), "message": .string(text)],
        ])
        let code: ErrorCode = event == .createRoom ? .validation : .tooLarge
        socket.emit(
            event.failureEvent,
            [
                "error": .string(text), "code": .string(code.rawValue),
                "timestamp": .int(environment.clock.nowMilliseconds),
            ])
    }

    // MARK: Small requests

    /// An event without an argument would have its own name taken for an offset.
    private func sendPong() {
        if socket.pid == nil {
            socket.emit(ServerEvent.pong)
        } else {
            socket.emit(ServerEvent.pong, .null)
        }
    }

    private func listRooms(_ request: Request) {
        service.directory.roomItems().hop(to: socket.eventLoop).whenComplete { result in
            switch result {
            case .success(let items):
                self.socket.emit(ServerEvent.roomsList, .array(items.map(\.json)))
                request.succeed()
            case .failure:
                self.socket.emit(ServerEvent.roomsList, [])
                request.fail(
                    .storageUnavailable, self.environment.messages.text(.storageUnavailable))
            }
        }
    }

    private func sendUserInfo(_ request: Request) {
        socket.emit(
            ServerEvent.userInfo,
            [
                "id": .string(socket.id), "name": .string(name), "userName": .string(name),
                "roomId": .optional(room?.id), "serverInstance": .string(service.instanceID),
            ])
        request.succeed()
    }

    private func sendUserStats(_ request: Request) {
        let stats = service.counts
        socket.emit(
            ServerEvent.userStats,
            ["totalUsers": .integer(stats.users), "activeRooms": .integer(stats.rooms)])
        request.succeed()
    }
}
