import NIOCore
import SocketIO

/// The sockets of one namespace on one loop, and their rooms. Confined to the loop.
final class RoomShard: Sendable {
    let loop: any EventLoop
    private let state: NIOLoopBoundBox<State>

    private final class State {
        var socketsByID: [String: Socket] = [:]
        var index = RoomIndex<Socket>()
        let batches = TickBatches()
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
        return rooms.filter { state.value.index.members(of: $0).isEmpty }
    }

    /// True if the room had no member on this loop before.
    func join(_ socket: Socket, _ room: String) -> Bool {
        state.value.index.join(socket, room) && state.value.index.members(of: room).count == 1
    }

    /// True if the room has no member on this loop any more.
    func leave(_ socket: Socket, _ room: String) -> Bool {
        state.value.index.leave(socket, room) && state.value.index.members(of: room).isEmpty
    }

    func rooms(of socket: Socket) -> Set<String> { state.value.index.rooms(of: socket) }

    /// Sends the event to each socket of the target once.
    func broadcast(_ event: PreparedEvent, to target: BroadcastTarget) {
        let state = state.value
        let delivery = LoopDelivery(event, isVolatile: target.isVolatile, state.batches)
        forEachSocket(in: target) { $0.deliver(delivery) }
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
