public import NIOCore

/// Whom a broadcast reaches.
public struct BroadcastTarget: Sendable, Hashable {
    /// Members of any of these rooms, each once; nil means the whole namespace. A socket's id is
    /// a room with that socket in it.
    public var rooms: Set<String>?
    /// Members of any of these rooms are left out.
    public var except: Set<String>
    /// Left out are sockets with more than `SocketLimits.volatileBufferBytes` waiting.
    public var isVolatile: Bool

    /// A target; without arguments the whole namespace.
    public init(rooms: Set<String>? = nil, except: Set<String> = [], isVolatile: Bool = false) {
        self.rooms = rooms
        self.except = except
        self.isVolatile = isVolatile
    }
}

/// Knows who is in which room of one namespace, and carries events to them.
///
/// Guarantees to the callers: a socket that joined on its loop is reached by every broadcast
/// begun later on that loop; broadcasts begun on one loop reach a socket in that order; a socket
/// that was removed is reached by none. An adapter that spans several processes adds nothing to
/// the order between processes.
public protocol Adapter: AnyObject, Sendable {
    /// The socket is connected. On the socket's loop, as are the four calls below.
    func add(_ socket: Socket)
    /// The socket left; it is taken out of all rooms.
    func remove(_ socket: Socket)
    /// Puts a connected socket into a room.
    func join(_ socket: Socket, room: String)
    /// Takes the socket out of a room; without effect if it is not in it.
    func leave(_ socket: Socket, room: String)
    /// The rooms that the socket is in, the room of its own id not counted.
    func rooms(of socket: Socket) -> Set<String>

    /// Sends the event to the target. From any thread.
    func broadcast(_ event: PreparedEvent, to target: BroadcastTarget)
    /// The connected sockets of this process. From any thread.
    var socketCount: Int { get }
    /// Runs `body` with each connected socket of this process that the target names, on the
    /// socket's loop. From any thread.
    func forEachSocket(in target: BroadcastTarget, _ body: @escaping @Sendable (Socket) -> Void)
}

/// Makes the adapter of a namespace; `loops` are the loops on which its sockets will live.
public typealias AdapterFactory =
    @Sendable (_ namespace: String, _ loops: [any EventLoop], _ limits: SocketLimits)
    -> any Adapter
