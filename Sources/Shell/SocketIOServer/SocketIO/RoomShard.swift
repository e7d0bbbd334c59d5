import NIOCore
import SocketIO

/// The sockets of one namespace on one loop, and their rooms. Confined to the loop.
final class RoomShard: Sendable {
    let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    private final class State {
        var socketsByID: [String: Socket] = [:]
        var index = RoomIndex<Socket>()
        var audiences: [String: RoomAudience] = [:]
        let batches = TickBatches()
        let pool = BatchPool()
        var isRenewalPlanned = false
    }

    init(loop: any EventLoop) {
        self.loop = loop
        state = .makeBoxSendingValue(State(), eventLoop: loop)
    }

    func add(_ socket: Socket) {
        state.value.socketsByID[socket.id] = socket
    }

    /// Returns the rooms that have no member on this loop any more.
    func remove(_ socket: Socket) -> [String] {
        if state.value.socketsByID[socket.id] === socket {
            state.value.socketsByID[socket.id] = nil
        }
        let rooms = state.value.index.remove(socket)
        for room in rooms { left(room, socket) }
        return rooms.filter { state.value.index.members(of: $0).isEmpty }
    }

    private func left(_ room: String, _ socket: Socket) {
        guard let audience = state.value.audiences[room] else { return }
        audience.remove(socket)
        if state.value.index.members(of: room).isEmpty { state.value.audiences[room] = nil }
    }

    /// True if the room had no member on this loop before.
    func join(_ socket: Socket, _ room: String) -> Bool {
        guard state.value.index.join(socket, room) else { return false }
        state.value.audiences[room]?.add(socket)
        return state.value.index.members(of: room).count == 1
    }

    /// True if the room has no member on this loop any more.
    func leave(_ socket: Socket, _ room: String) -> Bool {
        guard state.value.index.leave(socket, room) else { return false }
        left(room, socket)
        return state.value.index.members(of: room).isEmpty
    }

    func rooms(of socket: Socket) -> Set<String> { state.value.index.rooms(of: socket) }

    /// Sends the event to each socket of the target once.
    func broadcast(_ event: PreparedEvent, to target: BroadcastTarget) {
        guard let audience = audience(of: target), event.byteCount <= FrameBatch.longestFrames
        else {
            return deliver(event, isVolatile: target.isVolatile) { body in
                self.forEachSocket(in: target, body)
            }
        }
        let excluded = members(of: target.except)
        let others = audience.broadcast(event, except: excluded)
        guard !others.isEmpty else { return }
        deliver(event, isVolatile: false) { self.visit(others, but: excluded, $0) }
    }

    /// The audience of a target that is one room.
    private func audience(of target: BroadcastTarget) -> RoomAudience? {
        let state = state.value
        guard !target.isVolatile, let rooms = target.rooms, rooms.count == 1,
            let room = rooms.first, state.socketsByID[room] == nil
        else { return nil }
        if let audience = state.audiences[room] { return audience }
        let members = state.index.members(of: room)
        guard members.count > 1 else { return nil }
        let audience = RoomAudience(members, state.pool)
        state.audiences[room] = audience
        return audience
    }

    private func deliver(
        _ event: PreparedEvent, isVolatile: Bool, to forEach: ((Socket) -> Void) -> Void
    ) {
        let state = state.value
        let delivery = LoopDelivery(event, isVolatile: isVolatile, state.batches)
        forEach { $0.deliver(delivery) }
        guard !state.isRenewalPlanned else { return }
        state.isRenewalPlanned = true
        // Behind the flush of the sessions, which was planned before.
        loop.execute {
            let state = self.state.value
            state.isRenewalPlanned = false
            state.batches.renew()
        }
    }

    /// Calls `body` with each socket of the target once. `body` may change rooms.
    func forEachSocket(in target: BroadcastTarget, _ body: (Socket) -> Void) {
        let excluded = members(of: target.except)
        if let rooms = target.rooms {
            visit(members(of: rooms), but: excluded, body)
        } else {
            visit(state.value.socketsByID.values, but: excluded, body)
        }
    }

    /// A few are compared one by one: that is cheaper than to look each up.
    private func visit(
        _ sockets: some Collection<Socket>, but excluded: Set<Socket>, _ body: (Socket) -> Void
    ) {
        switch excluded.count {
        case 0: for socket in sockets { body(socket) }
        case 1...4:
            let few = Array(excluded)
            for socket in sockets where !few.contains(where: { $0 === socket }) { body(socket) }
        default: for socket in sockets where !excluded.contains(socket) { body(socket) }
        }
    }

    private func members(of rooms: Set<String>) -> Set<Socket> {
        var union: Set<Socket> = []
        for room in rooms {
            let members = state.value.index.members(of: room)
            if union.isEmpty { union = members } else { union.formUnion(members) }
            if let socket = state.value.socketsByID[room] { union.insert(socket) }
        }
        return union
    }
}
