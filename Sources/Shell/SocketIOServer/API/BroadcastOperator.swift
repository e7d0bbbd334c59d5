public import JSON
public import NIOCore

/// Builds the target of a broadcast: `namespace.to("a").except(id).volatile.emit("e", 1)`.
public struct BroadcastOperator: Sendable {
    let namespace: Namespace
    /// Whom the broadcast reaches as built so far.
    public private(set) var target = BroadcastTarget()

    init(_ namespace: Namespace) {
        self.namespace = namespace
    }

    /// Adds members of the room, or the socket of that id.
    public func to(_ room: String) -> BroadcastOperator { to([room]) }

    /// Adds members of the rooms; an empty list adds nobody, and does not mean everybody.
    public func to(_ rooms: [String]) -> BroadcastOperator {
        var copy = self
        copy.target.rooms = (target.rooms ?? []).union(rooms)
        return copy
    }

    /// Leaves out members of the room, or the socket of that id.
    public func except(_ room: String) -> BroadcastOperator { except([room]) }

    /// Leaves out members of the rooms.
    public func except(_ rooms: [String]) -> BroadcastOperator {
        var copy = self
        copy.target.except.formUnion(rooms)
        return copy
    }

    /// Leaves out clients that read too slowly at the moment.
    public var volatile: BroadcastOperator {
        var copy = self
        copy.target.isVolatile = true
        return copy
    }

    /// From any thread. The event is encoded once.
    public func emit(_ event: String, _ arguments: JSONValue...) {
        emit(event, arguments: arguments)
    }

    /// Sends an event; inside the arguments `JSONValue.attachment(n)` stands for `attachments[n]`.
    public func emit(_ event: String, arguments: [JSONValue], attachments: [ByteBuffer] = []) {
        emit(
            PreparedEvent(
                event, arguments, namespace: namespace.name, attachments: attachments))
    }

    /// Sends an event that was encoded before; without effect if it was prepared for another
    /// namespace.
    public func emit(_ event: PreparedEvent) {
        namespace.adapter.broadcast(event, to: target)
    }

    /// Makes the sockets of this process join a room.
    public func socketsJoin(_ room: String) {
        namespace.adapter.forEachSocket(in: target) { $0.join(room) }
    }

    /// Makes the sockets of this process leave a room.
    public func socketsLeave(_ room: String) {
        namespace.adapter.forEachSocket(in: target) { $0.leave(room) }
    }

    /// Disconnects the sockets of this process from the namespace.
    public func disconnectSockets() {
        namespace.adapter.forEachSocket(in: target) { $0.disconnect() }
    }

    /// Runs `body` with each socket of this process, on the socket's loop.
    public func forEachSocket(_ body: @escaping @Sendable (Socket) -> Void) {
        namespace.adapter.forEachSocket(in: target, body)
    }
}
