package import JSON

/// What a Socket.IO packet is for. A binary event or ack is an event or ack with attachments.
package enum PacketType: UInt8, Sendable, Hashable {
    case connect = 0
    case disconnect = 1
    case event = 2
    case ack = 3
    case connectError = 4
}

/// One packet of the Socket.IO protocol, as revision 5 has it; `PacketDecoder` turns the CONNECT of
/// revision 4 into this form.
///
/// On the wire: `<type>[<attachments>-][<namespace>,][<ack id>][<JSON payload>]`, then one binary
/// message for each attachment. Example: `51-/admin,12["picture",{"_placeholder":true,"num":0}]`.
package struct Packet: Sendable, Hashable {
    package var type: PacketType
    /// Begins with `/`; the main namespace is `/`.
    package var namespace: String
    /// Of an event: the sender wants an ack of this id. Of an ack: the event's id.
    package var id: UInt64?
    /// Checked against the rules of the type (`PayloadRules`).
    package var payload: JSONText?
    package var attachments: [ArraySlice<UInt8>]

    package init(
        _ type: PacketType, namespace: String = "/", id: UInt64? = nil, payload: JSONText? = nil,
        attachments: [ArraySlice<UInt8>] = []
    ) {
        self.type = type
        self.namespace = namespace
        self.id = id
        self.payload = payload
        self.attachments = attachments
    }
}
