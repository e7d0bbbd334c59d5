public import JSON
import NIOConcurrencyHelpers
public import NIOCore
import SocketIO

/// An event encoded once, for sending to many sockets of one namespace.
public struct PreparedEvent: Sendable {
    /// The name of the event.
    public let event: String
    /// The namespace whose sockets send it.
    public let namespace: String
    /// A place among the events, which sockets with a `pid` send as one more argument
    /// (`ConnectionRecovery`); others send the event without it.
    public let offset: String?
    private let first: PreparedMessage
    /// The form that `first` is not, made for the first socket that needs it; nil where there is
    /// only one.
    private let second: NIOLockedValueBox<PreparedMessage?>?

    /// - Parameters:
    ///   - event: its name.
    ///   - arguments: inside them `JSONValue.attachment(n)` stands for `attachments[n]`.
    ///   - namespace: sockets of other namespaces do not send it.
    ///   - attachments: binary data that the arguments refer to.
    ///   - offset: see `offset`.
    public init(
        _ event: String, _ arguments: [JSONValue], namespace: String = "/",
        attachments: [ByteBuffer] = [], offset: String? = nil
    ) {
        let sent = offset.map { arguments + [.string($0)] } ?? arguments
        let text = PacketEncoder.event(
            event, sent, namespace: namespace, attachmentCount: attachments.count)
        self.init(
            event, namespace, offset,
            first: PreparedMessage(text: text, attachments: attachments))
    }

    private init(_ event: String, _ namespace: String, _ offset: String?, first: PreparedMessage) {
        self.event = event
        self.namespace = namespace
        self.offset = offset
        self.first = first
        second = offset == nil ? nil : NIOLockedValueBox(nil)
    }

    /// The same event at another place.
    public func at(_ offset: String?) -> PreparedEvent {
        guard offset != self.offset else { return self }
        guard let offset else { return PreparedEvent(event, namespace, nil, first: message) }
        return PreparedEvent(
            event, namespace, offset, first: message.exchangingTail("]", for: Self.tail(offset)))
    }

    /// Bytes that the event adds to the queue of a recipient.
    public var byteCount: Int { first.byteCount }

    /// As sockets without a `pid` send it.
    package var message: PreparedMessage {
        guard let offset, let second else { return first }
        return second.withLockedValue { made in
            let message = made ?? first.exchangingTail(Self.tail(offset), for: "]")
            made = message
            return message
        }
    }

    /// As sockets with a `pid` send it.
    var messageWithOffset: PreparedMessage { first }

    /// How the packet ends with the offset as last argument.
    private static func tail(_ offset: String) -> String {
        ",\(String(decoding: JSONValue.string(offset).encoded, as: UTF8.self))]"
    }
}

extension PreparedMessage {
    /// The same message with other bytes at the end of its text.
    fileprivate func exchangingTail(_ tail: String, for other: String) -> PreparedMessage {
        let kept = max(0, text.readableBytes - tail.utf8.count)
        var text = self.text.getSlice(at: self.text.readerIndex, length: kept) ?? ByteBuffer()
        text.writeString(other)
        return PreparedMessage(text: text, attachments: attachments)
    }
}
