import NIOCore

/// One open Engine.IO session as the layer above sees it.
///
/// Confined to `eventLoop`: every member but `id`, `eventLoop` and `request` is used on it only.
/// The transport under a session may change (polling → WebSocket); order and content do not.
public protocol EngineSession: AnyObject, Sendable {
    /// The Engine.IO session id; unguessable, unique.
    var id: String { get }
    /// The loop that the session is confined to.
    var eventLoop: any EventLoop { get }
    /// The request that opened the session.
    var request: HandshakeRequest { get }
    /// `polling` or `websocket`.
    var transportName: String { get }
    /// Bytes given to `send` and not yet taken by the kernel or by a poll.
    var bufferedBytes: Int { get }
    /// Whether more than `ServerOptions.Limits.highWaterBytes` were waiting, and not yet half of
    /// that is left.
    var isBackedUp: Bool { get }
    /// False from the moment the session begins to close; `send` is then without effect.
    var isOpen: Bool { get }

    /// Queues one message; flushed once a tick. A queue beyond
    /// `ServerOptions.Limits.maxBufferedBytesPerSession` closes the session with `.tooSlow`.
    func send(_ message: EngineMessage)
    /// Queues a message that was encoded once for all its recipients.
    func send(_ broadcast: PreparedMessage)
    /// Calls `body`, on `eventLoop`, once the client has answered a ping sent behind everything that
    /// was sent so far: it has received that. Never if the session ends before. At once for a client
    /// of Engine.IO 3, which no server may ask.
    func afterRoundTrip(_ body: @escaping @Sendable () -> Void)
    /// Closes session and transport; what is queued is still written, as far as the kernel takes it.
    func close(_ reason: EngineCloseReason)

    /// Receives everything that happens to the session. Held strongly until `closed`.
    var delegate: (any EngineSessionDelegate)? { get set }
}

/// One message to a client, without the Engine.IO packet type.
public enum EngineMessage: Sendable {
    /// Valid UTF-8.
    case text(ByteBuffer)
    /// Any bytes; over polling they travel as base64.
    case binary(ByteBuffer)

    /// The payload's size in bytes.
    public var byteCount: Int {
        switch self {
        case .text(let buffer), .binary(let buffer): buffer.readableBytes
        }
    }
}

/// What a session tells the layer above; every call is on the session's event loop.
public protocol EngineSessionDelegate: AnyObject, Sendable {
    /// A text message; `text` is valid UTF-8 and without the Engine.IO packet type.
    func engineSession(_ session: any EngineSession, received text: ArraySlice<UInt8>)

    /// A binary message.
    func engineSession(_ session: any EngineSession, receivedBinary bytes: ArraySlice<UInt8>)

    /// The queue rose above the high-water mark; perhaps until the end of this tick only, as with
    /// one big message that the kernel takes at once.
    func engineSessionBackedUp(_ session: any EngineSession)

    /// The queue, having been above the high-water mark, fell below the low-water mark.
    func engineSessionBecameWritable(_ session: any EngineSession)

    /// The session is over. Called exactly once, and nothing is called after it.
    func engineSession(_ session: any EngineSession, closed reason: EngineCloseReason)

    /// A message longer than `maxPayloadBytes` was read and dropped; the session stays open.
    ///
    /// - Parameters:
    ///   - session: the session that the message came by.
    ///   - byteCount: size of the dropped message.
    ///   - prefix: its first bytes (at most 256), without the Engine.IO packet type.
    func engineSession(
        _ session: any EngineSession, discardedMessageOf byteCount: Int,
        prefix: ArraySlice<UInt8>)
}

extension EngineSessionDelegate {
    public func engineSessionBackedUp(_ session: any EngineSession) {}

    public func engineSessionBecameWritable(_ session: any EngineSession) {}

    public func engineSession(
        _ session: any EngineSession, discardedMessageOf byteCount: Int,
        prefix: ArraySlice<UInt8>
    ) {}
}
