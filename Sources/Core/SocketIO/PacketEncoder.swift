package import JSON

/// Writes the text message of packets; attachments follow it as binary messages as they are.
package enum PacketEncoder {
    /// Any packet.
    package static func encode(_ packet: Packet) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(
            (packet.payload?.bytes.count ?? 0) + packet.namespace.utf8.count + 32)
        writeHeader(
            packet.type, packet.namespace, packet.id, packet.attachments.count, into: &output)
        if let payload = packet.payload { output.append(contentsOf: payload.bytes) }
        return output
    }

    /// An event: `2["name",…]`, or `5<n>-["name",…]` with attachments.
    package static func event(
        _ name: String, _ arguments: [JSONValue], namespace: String = "/", id: UInt64? = nil,
        attachmentCount: Int = 0
    ) -> [UInt8] {
        var output = buffer(for: arguments, name.utf8.count + namespace.utf8.count)
        writeHeader(.event, namespace, id, attachmentCount, into: &output)
        output.append(UInt8(ascii: "["))
        JSONValue.string(name).write(into: &output)
        for argument in arguments {
            output.append(UInt8(ascii: ","))
            argument.write(into: &output)
        }
        output.append(UInt8(ascii: "]"))
        return output
    }

    /// The answer to an event that asked for one: `3<id>[…]`.
    package static func ack(
        _ id: UInt64, _ arguments: [JSONValue], namespace: String = "/",
        attachmentCount: Int = 0
    ) -> [UInt8] {
        var output = buffer(for: arguments, namespace.utf8.count)
        writeHeader(.ack, namespace, id, attachmentCount, into: &output)
        JSONValue.array(arguments).write(into: &output)
        return output
    }

    /// The answer to an accepted CONNECT: `0{"sid":"…"}`, with the `pid` of a client that may
    /// recover `0{"sid":"…","pid":"…"}`; in revision 4 `0`.
    package static func connect(
        sid: String, pid: String? = nil, namespace: String = "/",
        revision: ProtocolRevision = .five
    ) -> [UInt8] {
        guard revision == .five else { return encode(Packet(.connect, namespace: namespace)) }
        var members: JSONMembers = ["sid": .string(sid)]
        if let pid { members.append("pid", .string(pid)) }
        let payload = JSONValue.object(members)
        return encode(Packet(.connect, namespace: namespace, payload: payload.json))
    }

    /// The answer to a refused CONNECT: `4{"message":"…","data":…}`; in revision 4, which calls it
    /// ERROR, the data alone or, where there is none, the message: `4"…"`.
    package static func connectError(
        _ message: String, data: JSONValue? = nil, namespace: String = "/",
        revision: ProtocolRevision = .five
    ) -> [UInt8] {
        guard revision == .five else {
            let payload = data ?? .string(message)
            return encode(Packet(.connectError, namespace: namespace, payload: payload.json))
        }
        var members: JSONMembers = ["message": .string(message)]
        members["data"] = data
        let payload = JSONValue.object(members)
        return encode(Packet(.connectError, namespace: namespace, payload: payload.json))
    }

    package static func disconnect(namespace: String = "/") -> [UInt8] {
        encode(Packet(.disconnect, namespace: namespace))
    }

    private static func buffer(for arguments: [JSONValue], _ names: Int) -> [UInt8] {
        let raw = arguments.reduce(0) { $0 + $1.estimatedSize + 1 }
        var output: [UInt8] = []
        output.reserveCapacity(raw + names + 48)
        return output
    }

    private static func writeHeader(
        _ type: PacketType, _ namespace: String, _ id: UInt64?, _ attachmentCount: Int,
        into output: inout [UInt8]
    ) {
        let isBinary = attachmentCount > 0 && (type == .event || type == .ack)
        output.append(UInt8(ascii: "0") + type.rawValue + (isBinary ? 3 : 0))
        if isBinary { output.append(contentsOf: "\(attachmentCount)-".utf8) }
        if namespace != "/" {
            output.append(contentsOf: namespace.utf8)
            output.append(UInt8(ascii: ","))
        }
        if let id { output.append(contentsOf: String(id).utf8) }
    }
}
