internal import JSON

/// What is known of a packet that was too much to be taken in.
package struct DiscardedPacket: Sendable, Hashable {
    /// Nil if the message was an attachment of a packet already reported.
    package let namespace: String?
    /// Name of the event, if it is one and its name was within the known part.
    package let event: String?
    /// The ack that the sender waits for.
    package let id: UInt64?
}

extension DiscardedPacket {
    /// An event that was taken in and then found to be too much.
    package init(_ packet: Packet) {
        namespace = packet.namespace
        event = packet.eventName
        id = packet.eventID
    }

    init(_ header: PacketHeader) {
        namespace = header.namespace
        event = header.type == .event ? Self.eventName(header.payload) : nil
        id = header.type == .event ? header.id : nil
    }

    /// The string that an array cut off somewhere begins with.
    private static func eventName(_ payload: ArraySlice<UInt8>) -> String? {
        var tokens = JSONTokens(JSONText(unchecked: payload))
        guard case .begin(.array, _) = tokens.next(), case .scalar(let name) = tokens.next(),
            let checked = try? JSONText(validating: name.bytes)
        else { return nil }
        return checked.string
    }
}

extension Packet {
    /// Name of the event; nil for other types. A number is given as it is spelled.
    package var eventName: String? {
        guard type == .event, let name = payload?.firstElement else { return nil }
        return name.string ?? name.text
    }

    /// The ack that the sender of an event waits for.
    package var eventID: UInt64? { type == .event ? id : nil }
}
