import JSON
public import NIOCore

/// Lets a stock client (socket.io-client from 4.6 on) come back after a break as the socket that it
/// was: same id, `recovered` true, with the events that it missed.
///
/// How the client takes part: it is told a secret `pid` with CONNECT; of every event whose last
/// argument is a string it keeps that string as its offset; when it reconnects it sends both in
/// CONNECT's auth, `{"pid":"…","offset":"…"}`; it takes itself to be recovered where it is told the
/// same `pid` again. Sent as offset is what `PreparedEvent.offset` says.
///
/// What a lost socket was, what it missed and who may have it is for the implementation to know.
/// The order: `find`, before there is a socket, whose id may be that of the lost one; the
/// namespace's middleware; `claim`; the CONNECT packet; what the implementation sends.
/// Set by `Namespace.recover(by:)`.
public protocol ConnectionRecovery: AnyObject, Sendable {
    /// Whether the client of that handshake is told a `pid`, and offsets with the events. On the
    /// connection's loop.
    func isOffered(to handshake: HandshakeRequest) -> Bool

    /// Looks for what a returning client was. On the connection's loop.
    ///
    /// - Returns: a future on any loop; nil, or a failure, for a client that is to be as new.
    func find(_ request: RecoveryRequest) -> EventLoopFuture<LostSocket?>

    /// Makes the client the lost socket again, now that middleware has let it on. Called at most
    /// once for what `find` gave with `isRecoverable`, on the connection's loop.
    ///
    /// - Parameters:
    ///   - lost: what `find` gave.
    ///   - socket: has the id of the lost one, and is not connected yet.
    ///   - complete: to be called once, on any loop. After `true` CONNECT is sent, then what is
    ///     sent to the socket by the same loop from then on. After `false` the client is connected
    ///     as a new socket, with another id and `pid`; its `lost` is the same.
    func claim(
        _ lost: LostSocket, for socket: Socket, complete: @escaping @Sendable (Bool) -> Void)

    /// The client went away, or was refused by middleware, before it was connected: instead of
    /// `claim`, or after it has been granted to `socket`. Called for what is `isRecoverable`, on the
    /// connection's loop.
    func abandon(_ lost: LostSocket, claimedFor socket: Socket?)
}

/// A client that says it was here before.
public struct RecoveryRequest: Sendable {
    /// What the client was told with CONNECT, whole; of the right form, and not known to be true.
    public let pid: String
    /// The id of the socket that the `pid` was made for.
    public let sid: String
    /// The last offset that the client saw, of any form; nil if it saw none.
    public let offset: String?
    /// The request that opened the connection.
    public let handshake: HandshakeRequest
    /// The loop of the connection.
    public let eventLoop: any EventLoop

    /// Nil where the client does not say that it was here.
    init?(auth: JSONText?, handshake: HandshakeRequest, eventLoop: any EventLoop) {
        guard let pid = auth?["pid"]?.string, let sid = PersistentID.socketID(in: pid) else {
            return nil
        }
        self.pid = pid
        self.sid = sid
        offset = auth?["offset"]?.string
        self.handshake = handshake
        self.eventLoop = eventLoop
    }
}

/// A socket that was, as `ConnectionRecovery.find` knows it.
public struct LostSocket: Sendable {
    /// Whether the client may be that socket again. If not it becomes a new one, by which the
    /// application finds `context` (`Socket.lost`).
    public let isRecoverable: Bool
    /// For the implementation.
    public let context: any Sendable

    /// What `find` found.
    public init(isRecoverable: Bool, context: any Sendable) {
        self.isRecoverable = isRecoverable
        self.context = context
    }
}
