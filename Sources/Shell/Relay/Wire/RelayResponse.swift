import JSON
import NIOCore
import SocketIO
import SocketIOServer

/// The answer of one server to a request of another; which members it has depends on the request.
///
/// JSON, but for the acknowledgement of a broadcast, which is MessagePack.
package struct RelayResponse: Sendable, Hashable {
    package let id: String
    package var type: RequestType?
    /// Of `allRooms`.
    package var rooms: [String]?
    /// Of `sockets` and `remoteFetch`: ids, or objects.
    package var sockets: [JSONText]?
    /// Of `serverSideEmit`.
    package var data: JSONText?
    package var clientCount: Int?
    /// Of `broadcastAck`: the one value with which a client answered, or none.
    package var acknowledgement: EventArguments?

    package init(id: String) { self.id = id }

    package init(
        decoding bytes: ArraySlice<UInt8>, limits: MessagePackLimits = MessagePackLimits()
    ) throws(RelayMessageError) {
        let (json, attachments) = try JSONText.relayed(bytes, limits: limits)
        guard let id = json["requestId"]?.string else { throw .member("requestId") }
        self.id = id
        type = json["type"]?.int.flatMap(RequestType.init)
        if let rooms = json["rooms"], rooms.kind == .array {
            self.rooms = rooms.elements.compactMap(\.string)
        }
        if let sockets = json["sockets"], sockets.kind == .array { self.sockets = sockets.elements }
        data = json["data"]
        clientCount = json["clientCount"]?.int.flatMap { 0...Self.maxCount ~= $0 ? Int($0) : nil }
        if type == .broadcastAck {
            acknowledgement = EventArguments(
                json["packet"].map { [$0] } ?? [], attachments: attachments.map(ByteBuffer.init))
        }
    }

    /// More clients than any server has; keeps sums of counts in range.
    private static let maxCount: Int64 = 1 << 32

    /// The message as the official adapter writes it.
    package var encoded: [UInt8] {
        if let acknowledgement { return encode(acknowledgement) }
        var members = JSONMembers()
        if let type { members.append("type", .int(type.rawValue)) }
        members.append("requestId", .string(id))
        if let rooms { members.append("rooms", .array(rooms.map(JSONValue.string))) }
        if let sockets { members.append("sockets", .array(sockets.map(JSONValue.raw))) }
        if let data { members.append("data", .raw(data)) }
        if let clientCount { members.append("clientCount", .integer(clientCount)) }
        return JSONValue.object(members).encoded
    }

    private func encode(_ acknowledgement: EventArguments) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.map(3)
        writer.string("type")
        writer.int(RequestType.broadcastAck.rawValue)
        writer.string("requestId")
        writer.string(id)
        writer.string("packet")
        var head = writer
        guard let value = acknowledgement.first else {
            writer.undefined()
            return writer.bytes
        }
        do throws(PacketError) {
            try writer.json(
                value, attachments: acknowledgement.attachments.map(\.readableBytesView))
            return writer.bytes
        } catch {
            head.undefined()
            return head.bytes
        }
    }
}
