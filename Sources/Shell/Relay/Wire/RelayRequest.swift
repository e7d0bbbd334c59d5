import JSON
import NIOCore
import SocketIOServer

/// What one server, or an emitter, asks of all servers of a namespace.
///
/// JSON, but for broadcasts with acknowledgements, which are MessagePack: a message that does not
/// begin with `{` is. Members: `uid` (absent from emitters and old servers), `requestId` (absent
/// where nobody waits for an answer), `type`, and those of the type.
package struct RelayRequest: Sendable {
    package enum Selection: Sendable, Hashable {
        case target(BroadcastTarget)
        /// One socket by its id, as servers before version 8 ask.
        case socket(String)
    }

    package enum Body: Sendable {
        case sockets(rooms: Set<String>)
        case allRooms
        case join(Selection, rooms: [String])
        case leave(Selection, rooms: [String])
        case disconnect(Selection, closesTransport: Bool)
        case fetch(BroadcastTarget)
        case serverSideEmit(event: String, arguments: [JSONText])
        case broadcast(BroadcastToAcknowledge)
    }

    package let uid: String?
    package let id: String?
    package let body: Body

    package init(uid: String?, id: String?, body: Body) {
        self.uid = uid
        self.id = id
        self.body = body
    }
}

/// An event whose receivers answer.
package struct BroadcastToAcknowledge: Sendable {
    package let namespace: String
    package let event: String
    package let arguments: [JSONValue]
    package let attachments: [ByteBuffer]
    package let target: BroadcastTarget
    package let timeoutMilliseconds: Int64?

    package init(
        namespace: String, event: String, arguments: [JSONValue], attachments: [ByteBuffer] = [],
        target: BroadcastTarget, timeoutMilliseconds: Int64?
    ) {
        self.namespace = namespace
        self.event = event
        self.arguments = arguments
        self.attachments = attachments
        self.target = target
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

/// Why a request or a response is none.
package enum RelayMessageError: Error, Hashable, Sendable {
    case json(JSONError)
    case messagePack(MessagePackError)
    /// A member is missing or of another kind.
    case member(String)
    /// A number that no request has.
    case unknownType
}

// MARK: - Reading

extension RelayRequest {
    package init(
        decoding bytes: ArraySlice<UInt8>, limits: MessagePackLimits = MessagePackLimits()
    ) throws(RelayMessageError) {
        if bytes.first != UInt8(ascii: "{"),
            let request = try Self.broadcast(messagePack: bytes, limits)
        {
            self = request
        } else {
            self = try Self.read(try JSONText.relayed(bytes, limits: limits).json)
        }
    }

    private static func read(_ json: JSONText) throws(RelayMessageError) -> RelayRequest {
        guard let number = json["type"]?.int else { throw .member("type") }
        guard let type = RequestType(rawValue: number) else { throw .unknownType }
        return RelayRequest(
            uid: json["uid"]?.string, id: json["requestId"]?.string, body: try body(type, json))
    }

    private static func body(
        _ type: RequestType, _ json: JSONText
    ) throws(RelayMessageError) -> Body {
        switch type {
        case .sockets: return .sockets(rooms: Set(json.strings("rooms")))
        case .allRooms: return .allRooms
        case .remoteJoin: return .join(try selection(json), rooms: json.rooms)
        case .remoteLeave: return .leave(try selection(json), rooms: json.rooms)
        case .remoteDisconnect:
            return .disconnect(
                try selection(json), closesTransport: json["close"]?.bool == true)
        case .remoteFetch:
            guard let options = json["opts"] else { throw .member("opts") }
            return .fetch(BroadcastTarget(options))
        case .serverSideEmit:
            guard let data = json["data"]?.elements, let event = data.first?.string else {
                throw .member("data")
            }
            return .serverSideEmit(event: event, arguments: Array(data.dropFirst()))
        case .broadcast, .broadcastClientCount, .broadcastAck: throw .unknownType
        }
    }

    private static func selection(_ json: JSONText) throws(RelayMessageError) -> Selection {
        if let options = json["opts"], options.kind == .object {
            return .target(BroadcastTarget(options))
        }
        guard let id = json["sid"]?.string else { throw .member("sid") }
        return .socket(id)
    }

    /// Nil for a request of another type.
    private static func broadcast(
        messagePack bytes: ArraySlice<UInt8>, _ limits: MessagePackLimits
    ) throws(RelayMessageError) -> RelayRequest? {
        do throws(MessagePackError) {
            var reader = try MessagePackReader(bytes, limits: limits)
            guard case .map(let count) = try reader.next() else { throw reader.error(.shape) }
            var fields: [String: MessagePackValue] = [:]
            var packet: RelayedPacket?
            for _ in 0..<count {
                let key = try reader.key()
                if key == "packet" {
                    packet = try RelayedPacket(from: &reader)
                } else {
                    fields[key] = try MessagePackValue(from: &reader)
                }
            }
            try reader.end()
            guard fields["type"] == .int(RequestType.broadcast.rawValue) else { return nil }
            guard let packet, let options = fields["opts"] else { throw reader.error(.shape) }
            let parts = try packet.parts(limits: limits)
            let event = BroadcastToAcknowledge(
                namespace: packet.namespace, event: parts.event, arguments: parts.arguments,
                attachments: parts.attachments, target: try BroadcastTarget(relayed: options),
                timeoutMilliseconds: options["flags"]?["timeout"]?.int)
            return RelayRequest(
                uid: fields["uid"]?.string, id: fields["requestId"]?.string,
                body: .broadcast(event))
        } catch {
            throw .messagePack(error)
        }
    }
}

extension JSONText {
    /// A message that is JSON if it begins with `{`, else MessagePack.
    static func relayed(
        _ bytes: ArraySlice<UInt8>, limits: MessagePackLimits
    ) throws(RelayMessageError) -> (json: JSONText, attachments: [ArraySlice<UInt8>]) {
        guard bytes.first == UInt8(ascii: "{") else {
            do throws(MessagePackError) {
                return try JSONText.decoding(messagePack: bytes, limits: limits)
            } catch {
                throw .messagePack(error)
            }
        }
        do throws(JSONError) {
            let bounds = JSONLimits(maxDepth: limits.maxDepth, maxBytes: limits.maxBytes)
            return (try JSONText(validating: bytes, limits: bounds), [])
        } catch {
            throw .json(error)
        }
    }

    /// The strings, and the numbers as strings, of an array that is a member.
    fileprivate func strings(_ key: String) -> [String] {
        (self[key: key]?.elements ?? []).compactMap { $0.string ?? ($0.int == nil ? nil : $0.text) }
    }

    /// The rooms to join or leave: `rooms`, or `room` of one socket.
    fileprivate var rooms: [String] {
        self["rooms"] == nil ? self["room"]?.string.map { [$0] } ?? [] : strings("rooms")
    }
}

extension BroadcastTarget {
    fileprivate init(_ options: JSONText) {
        let rooms = Set(options.strings("rooms"))
        self.init(rooms: rooms.isEmpty ? nil : rooms, except: Set(options.strings("except")))
    }

    fileprivate var options: JSONValue {
        [
            "rooms": .array((rooms ?? []).sorted().map(JSONValue.string)),
            "except": .array(except.sorted().map(JSONValue.string)),
        ]
    }
}

// MARK: - Writing

extension RelayRequest {
    /// The message as the official adapter writes it. Nil if a placeholder names no attachment.
    package var encoded: [UInt8]? {
        var members = JSONMembers()
        if let uid { members.append("uid", .string(uid)) }
        if let id { members.append("requestId", .string(id)) }
        members.append("type", .int(type.rawValue))
        switch body {
        case .allRooms: break
        case .sockets(let rooms):
            members.append("rooms", .array(rooms.sorted().map(JSONValue.string)))
        case .join(let selection, let rooms), .leave(let selection, let rooms):
            Self.append(selection, &members)
            if case .socket = selection {
                members.append("room", .optional(rooms.first))
            } else {
                members.append("rooms", .array(rooms.map(JSONValue.string)))
            }
        case .disconnect(let selection, let closesTransport):
            Self.append(selection, &members)
            members.append("close", .bool(closesTransport))
        case .fetch(let target): members.append("opts", target.options)
        case .serverSideEmit(let event, let arguments):
            members.append("data", .array([.string(event)] + arguments.map(JSONValue.raw)))
        case .broadcast(let event): return encode(event)
        }
        return JSONValue.object(members).encoded
    }

    private var type: RequestType {
        switch body {
        case .sockets: .sockets
        case .allRooms: .allRooms
        case .join: .remoteJoin
        case .leave: .remoteLeave
        case .disconnect: .remoteDisconnect
        case .fetch: .remoteFetch
        case .serverSideEmit: .serverSideEmit
        case .broadcast: .broadcast
        }
    }

    private static func append(_ selection: Selection, _ members: inout JSONMembers) {
        switch selection {
        case .target(let target): members.append("opts", target.options)
        case .socket(let id): members.append("sid", .string(id))
        }
    }

    private func encode(_ event: BroadcastToAcknowledge) -> [UInt8]? {
        var writer = MessagePackWriter()
        writer.map(5)
        writer.string("uid")
        writer.string(uid ?? "")
        writer.string("requestId")
        writer.string(id ?? "")
        writer.string("type")
        writer.int(type.rawValue)
        writer.string("packet")
        let data = RelayedPacket.Data(
            arguments: JSONValue.array([.string(event.event)] + event.arguments).json,
            attachments: event.attachments)
        guard RelayedPacket.write(data, namespace: event.namespace, to: &writer) else { return nil }
        writer.string("opts")
        event.target.write(to: &writer, timeoutMilliseconds: event.timeoutMilliseconds)
        return writer.bytes
    }
}
