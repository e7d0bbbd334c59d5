public import JSON
public import NIOCore
import SocketIO

/// An event encoded once, for sending to many sockets of one namespace.
public struct PreparedEvent: Sendable {
    /// The name of the event.
    public let event: String
    /// The namespace whose sockets send it.
    public let namespace: String
    package let message: PreparedMessage

    /// - Parameters:
    ///   - event: its name.
    ///   - arguments: inside them `JSONValue.attachment(n)` stands for `attachments[n]`.
    ///   - namespace: sockets of other namespaces do not send it.
    ///   - attachments: binary data that the arguments refer to.
    public init(
        _ event: String, _ arguments: [JSONValue], namespace: String = "/",
        attachments: [ByteBuffer] = []
    ) {
        self.event = event
        self.namespace = namespace
        let text = PacketEncoder.event(
            event, arguments, namespace: namespace, attachmentCount: attachments.count)
        message = PreparedMessage(text: text, attachments: attachments)
    }

    /// Bytes that the event adds to the queue of a recipient.
    public var byteCount: Int { message.byteCount }
}
