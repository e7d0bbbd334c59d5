public import NIOCore
import SocketIO

/// Every bound of the Socket.IO layer, with what happens beyond it.
public struct SocketLimits: Sendable, Hashable {
    /// Binary attachments of one packet. Beyond: the connection closes with `.parseError`.
    public var maxAttachments = 10
    /// Bytes of one packet with its attachments. Beyond: `.parseError`.
    public var maxPacketBytes = 32 * 1024 * 1024
    /// Levels of arrays and objects in a payload. Beyond: the message is dropped and reported
    /// (`Socket.onOversized`).
    public var maxPayloadDepth = 512
    /// Arguments of one event. Beyond: as with `maxPayloadDepth`; of an ack: `.parseError`.
    public var maxArguments = 256
    /// Bytes of an event's name. Beyond: `.parseError`.
    public var maxEventNameBytes = 256
    /// Bytes of a namespace's name. Beyond: `.parseError`.
    public var maxNamespaceBytes = 256
    /// Bytes of the query behind the namespace of a client of Engine.IO 3. Beyond: `.parseError`.
    public var maxConnectQueryBytes = 4 * 1024
    /// Namespaces of one connection. Beyond: CONNECT_ERROR "Too many namespaces".
    public var maxNamespacesPerConnection = 16
    /// Acks that one socket's client owes. Beyond: `emitWithAck` fails with `.tooManyPending`.
    public var maxPendingAcks = 1_000
    /// Rooms that one socket is in, its own not counted. Beyond: `join` is without effect.
    public var maxRoomsPerSocket = 1_000
    /// Bytes waiting for a socket from which on volatile events to it are dropped.
    public var volatileBufferBytes = 16 * 1024
    /// Time that a connection may be in no namespace. Beyond: closed with `.forcedClose`.
    public var connectTimeout: TimeAmount = .seconds(45)

    /// The defaults.
    public init() {}

    var packetLimits: PacketLimits {
        var limits = PacketLimits()
        limits.maxAttachments = maxAttachments
        limits.maxPacketBytes = maxPacketBytes
        limits.maxEventNameBytes = maxEventNameBytes
        limits.maxNamespaceBytes = maxNamespaceBytes
        limits.maxConnectQueryBytes = maxConnectQueryBytes
        limits.json.maxDepth = maxPayloadDepth
        limits.json.maxBytes = maxPacketBytes
        return limits
    }
}
