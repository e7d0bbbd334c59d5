public import JSON
public import NIOCore
import SocketIO

/// An event from a client.
public struct SocketEvent: Sendable {
    /// The name of the event.
    public let name: String
    /// What the event carries.
    public let arguments: EventArguments
    /// Present if the client waits for an answer.
    public let acknowledge: Acknowledgement?
}

/// What an event or an ack carries, without the event's name.
public struct EventArguments: Sendable, Hashable {
    /// The arguments as the client spelled them; an attachment inside is a placeholder object.
    public let values: [JSONText]
    /// The binary attachments, in the order of their placeholders.
    public let attachments: [ByteBuffer]

    /// Arguments and the attachments that they refer to.
    public init(_ values: [JSONText], attachments: [ByteBuffer] = []) {
        self.values = values
        self.attachments = attachments
    }

    /// The number of arguments.
    public var count: Int { values.count }
    /// The first argument, or nil if there is none.
    public var first: JSONText? { values.first }

    /// The argument at `index`, or nil if the client sent fewer.
    public subscript(index: Int) -> JSONText? {
        values.indices.contains(index) ? values[index] : nil
    }

    /// The attachment for which `value` stands, or nil if it is no placeholder.
    public func attachment(for value: JSONText) -> ByteBuffer? {
        guard let index = Placeholder.index(of: value), attachments.indices.contains(index) else {
            return nil
        }
        return attachments[index]
    }
}

extension JSONValue {
    /// Stands for attachment `index` inside the arguments of an event to be sent.
    public static func attachment(_ index: Int) -> JSONValue { Placeholder.value(index) }
}

/// A message of a client that was dropped: longer than `ServerOptions.Limits.maxPayloadBytes`,
/// nested deeper than `SocketLimits.maxPayloadDepth`, or of more than `maxArguments` arguments.
public struct OversizedMessage: Sendable {
    /// Size of the dropped message.
    public let byteCount: Int
    /// Name of the event, as far as the message's beginning tells.
    public let event: String?
    /// Present if the client waits for an answer to the dropped event.
    public let acknowledge: Acknowledgement?
}
