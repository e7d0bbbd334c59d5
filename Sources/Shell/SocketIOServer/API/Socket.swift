public import JSON
public import NIOCore

/// A client in one namespace.
///
/// Lives on `eventLoop`. Every method may be called from any thread and takes effect on the loop,
/// at once if called there; calls from one thread keep their order. What reads state (`rooms`,
/// `user`, `isConnected`, `bufferedBytes`) is used on the loop only. After the socket left its
/// namespace all methods but `closeTransport` are without effect.
public final class Socket: Sendable {
    /// 20 characters safe in URLs, from the system's random source; unrelated to the id of the
    /// connection. For a client of Engine.IO 3 what it takes for its id: that of the connection,
    /// with `/namespace#` before it in all namespaces but `/`.
    public let id: String
    /// The namespace that the client is in, or asks to be let into.
    public let namespace: Namespace
    /// The loop of the connection, on which all handlers are called.
    public let eventLoop: any EventLoop
    /// The request that opened the client's connection.
    public var handshake: HandshakeRequest { session.request }
    /// What the client sent with CONNECT; an object, or nil. For a client of Engine.IO 3 the query
    /// behind the namespace, as strings.
    public let auth: JSONText?

    /// What the client was before it reconnected, as `ConnectionRecovery.find` found it; set from
    /// before middleware on.
    public let lost: LostSocket?
    /// The client's secret for coming back; nil where it cannot (`ConnectionRecovery`).
    package let pid: String?

    /// The session where it is one with a transport.
    let serverSession: ServerSession?
    let connection: SocketIOConnection
    let state: NIOLoopBound<SocketState>

    /// On the session's loop.
    init(
        id: String, pid: String? = nil, namespace: Namespace, auth: JSONText?,
        lost: LostSocket? = nil, connection: SocketIOConnection
    ) {
        self.id = id
        self.namespace = namespace
        self.auth = auth
        self.pid = pid
        self.lost = lost
        self.connection = connection
        serverSession = connection.session as? ServerSession
        eventLoop = connection.session.eventLoop
        let state = SocketState(maxPendingAcks: connection.limits.maxPendingAcks)
        self.state = NIOLoopBound(state, eventLoop: connection.session.eventLoop)
    }

    var session: any EngineSession { connection.session }
    var limits: SocketLimits { connection.limits }

    // MARK: State, on the loop

    /// Whether the client is in the namespace: false in middleware, true from before
    /// `onConnection` until before `onDisconnect`.
    public var isConnected: Bool { state.value.phase == .connected }

    /// Whether the client is the socket again that it was before a break (`ConnectionRecovery`).
    public var isRecovered: Bool { state.value.isRecovered }

    /// The rooms that the socket is in, that of its own id included.
    public var rooms: Set<String> {
        isConnected ? namespace.adapter.rooms(of: self).union([id]) : []
    }

    /// Bytes sent to the connection and not yet taken by the kernel or by a poll.
    public var bufferedBytes: Int { session.bufferedBytes }

    /// Whether more waits for the client than the high-water mark.
    public var isBackedUp: Bool { session.isBackedUp }

    /// `polling` or `websocket`.
    public var transportName: String { session.transportName }

    /// Anything the application wants to find again with the socket; nil again when the handlers
    /// of `onDisconnect` have run, so that it may hold the socket.
    public var user: (any Sendable)? {
        get { state.value.user }
        set { state.value.user = newValue }
    }

    // MARK: Handlers

    /// Calls `handler` on the loop for each event of that name; several handlers in the order
    /// added.
    public func on(_ event: String, _ handler: @escaping @Sendable (SocketEvent) -> Void) {
        onLoop { $0.state.value.register { $0.named[event, default: []].append(handler) } }
    }

    /// Calls `handler` on the loop for every event, before the handlers of its name.
    public func onAny(_ handler: @escaping @Sendable (SocketEvent) -> Void) {
        onLoop { $0.state.value.register { $0.any.append(handler) } }
    }

    /// Calls `handler` on the loop for events whose name has no handler.
    public func onUnhandled(_ handler: @escaping @Sendable (SocketEvent) -> Void) {
        onLoop { $0.state.value.register { $0.unhandled.append(handler) } }
    }

    /// Calls `handler` on the loop when a message of the client was too long and dropped.
    public func onOversized(_ handler: @escaping @Sendable (OversizedMessage) -> Void) {
        onLoop { $0.state.value.register { $0.oversized.append(handler) } }
    }

    /// Calls `handler` on the loop, exactly once, after the socket has left namespace and rooms;
    /// at once if it has left already.
    public func onDisconnect(_ handler: @escaping @Sendable (DisconnectReason) -> Void) {
        onLoop { socket in
            if case .disconnected(let reason) = socket.state.value.phase {
                handler(reason)
            } else {
                socket.state.value.register { $0.disconnect.append(handler) }
            }
        }
    }

    /// Calls `handler` on the loop each time the connection's queue rose above its high-water
    /// mark. One big message that the kernel takes at once does that too: whether the client is
    /// slow shows `isBackedUp` in a later turn of the loop.
    public func onBackedUp(_ handler: @escaping @Sendable () -> Void) {
        onLoop { $0.state.value.register { $0.backedUp.append(handler) } }
    }

    /// Calls `handler` on the loop each time the connection's queue, having been above its
    /// high-water mark, has drained.
    public func onWritable(_ handler: @escaping @Sendable () -> Void) {
        onLoop { $0.state.value.register { $0.writable.append(handler) } }
    }

    /// Who is told what the socket has to tell. On the loop; held until the socket's end.
    package var delegate: (any SocketDelegate)? {
        get { state.value.delegate }
        set { state.value.delegate = newValue }
    }

    // MARK: Rooms

    /// Adds the socket to a room. Without effect beyond `SocketLimits.maxRoomsPerSocket`.
    public func join(_ room: String) {
        onLoop { socket in
            guard socket.isConnected else { return }
            let rooms = socket.namespace.adapter.rooms(of: socket)
            guard rooms.count < socket.limits.maxRoomsPerSocket else { return }
            socket.namespace.adapter.join(socket, room: room)
        }
    }

    /// Takes the socket out of a room; not out of the room of its own id.
    public func leave(_ room: String) {
        onLoop { socket in
            guard socket.isConnected else { return }
            socket.namespace.adapter.leave(socket, room: room)
        }
    }

    /// A broadcast to the members of a room but this socket.
    public func to(_ room: String) -> BroadcastOperator { broadcast.to(room) }

    /// A broadcast to the namespace but this socket.
    public var broadcast: BroadcastOperator { namespace.broadcast.except(id) }

    // MARK: Ending

    /// Sends a DISCONNECT packet and leaves the namespace; the connection stays open. The stock
    /// client does not come back by itself after this.
    public func disconnect() {
        onLoop { $0.connection.disconnect($0) }
    }

    /// Closes the whole connection without a DISCONNECT packet; the stock client reconnects.
    public func closeTransport(_ reason: EngineCloseReason) {
        onLoop { $0.session.close(reason) }
    }

    /// Runs `body` at once on the loop, or soon if called elsewhere.
    func onLoop(_ body: @escaping @Sendable (Socket) -> Void) {
        if eventLoop.inEventLoop {
            body(self)
        } else {
            eventLoop.execute { body(self) }
        }
    }
}

extension Socket: Hashable {
    public static func == (left: Socket, right: Socket) -> Bool { left === right }
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
