public import JSON
public import NIOCore
import Synchronization

/// A channel of its own on a client's connection, with its own handlers, sockets and rooms.
///
/// Every method may be called from any thread. Handlers and middleware are set before the server
/// starts; what is set later counts for clients that connect later.
public final class Namespace: Sendable {
    /// Begins with `/`.
    public let name: String
    let adapter: any Adapter
    private let behaviour = Mutex(Behaviour())

    /// Runs on the socket's loop; nil, or a future that succeeds, lets the client on.
    public typealias Middleware = @Sendable (Socket) -> EventLoopFuture<Void>?
    /// Is handed each new socket, on the socket's loop.
    public typealias ConnectionHandler = @Sendable (Socket) -> Void

    private struct Behaviour: Sendable {
        var middleware: [Middleware] = []
        var handlers: [ConnectionHandler] = []
        var recovery: (any ConnectionRecovery)?
    }

    init(name: String, adapter: any Adapter) {
        self.name = name
        self.adapter = adapter
    }

    /// Adds a check that a client passes before it is connected, in the order added.
    ///
    /// Called on the socket's loop. Nil or a future that succeeds lets the client on; a failed
    /// one refuses it with CONNECT_ERROR: `ConnectError` as it says, any other error as "Internal
    /// error". The socket can neither emit nor join rooms yet; its `user` may be set.
    public func use(_ middleware: @escaping Middleware) {
        behaviour.withLock { $0.middleware.append(middleware) }
    }

    /// As `use(_:)`, as an async function, which runs off the socket's loop.
    public func use(async middleware: @escaping @Sendable (Socket) async throws -> Void) {
        use { socket in
            socket.eventLoop.makeFutureWithTask { try await middleware(socket) }
        }
    }

    /// Adds a handler for new sockets.
    ///
    /// Called on the socket's loop, synchronously after the CONNECT packet was sent and before
    /// any event of the socket is handled: what it registers misses nothing.
    public func onConnection(_ handler: @escaping ConnectionHandler) {
        behaviour.withLock { $0.handlers.append(handler) }
    }

    /// Lets clients come back after a break as the sockets that they were. Without it no client is
    /// told a `pid`.
    public func recover(by recovery: any ConnectionRecovery) {
        behaviour.withLock { $0.recovery = recovery }
    }

    /// The connected sockets of this process.
    public var socketCount: Int { adapter.socketCount }

    /// A broadcast to all sockets, to be narrowed.
    public var broadcast: BroadcastOperator { BroadcastOperator(self) }

    /// A broadcast to the members of a room, or to the socket of that id.
    public func to(_ room: String) -> BroadcastOperator { broadcast.to(room) }
    /// A broadcast to the members of the rooms, each once; an empty list means nobody.
    public func to(_ rooms: [String]) -> BroadcastOperator { broadcast.to(rooms) }
    /// A broadcast to all sockets but the members of a room, or the socket of that id.
    public func except(_ room: String) -> BroadcastOperator { broadcast.except(room) }
    /// A broadcast to all sockets but the members of the rooms.
    public func except(_ rooms: [String]) -> BroadcastOperator { broadcast.except(rooms) }
    /// A broadcast to all sockets but those that read too slowly at the moment.
    public var volatile: BroadcastOperator { broadcast.volatile }

    /// Sends an event to all sockets.
    public func emit(_ event: String, _ arguments: JSONValue...) {
        broadcast.emit(event, arguments: arguments)
    }

    /// Sends an event to all sockets; inside the arguments `JSONValue.attachment(n)` stands for
    /// `attachments[n]`.
    public func emit(_ event: String, arguments: [JSONValue], attachments: [ByteBuffer] = []) {
        broadcast.emit(event, arguments: arguments, attachments: attachments)
    }

    var middleware: [Middleware] { behaviour.withLock { $0.middleware } }
    var recovery: (any ConnectionRecovery)? { behaviour.withLock { $0.recovery } }
    var connectionHandlers: [ConnectionHandler] { behaviour.withLock { $0.handlers } }
}
