import JSON
import NIOHTTP1
import SocketIOServer

/// A socket of any server as the others are told of it: `{id, handshake, rooms, data}`.
package struct RemoteSocket: Sendable, Hashable {
    package let id: String
    /// Its own id included.
    package let rooms: Set<String>
    /// Headers, address, query and auth of the client, spelled as Socket.IO does.
    package let handshake: JSONText
    package let data: JSONText

    /// Nil if the value is no socket.
    package init?(_ json: JSONText) {
        guard let id = json["id"]?.string else { return nil }
        self.id = id
        rooms = Set(json["rooms"]?.elements.compactMap(\.string) ?? [])
        handshake = json["handshake"] ?? .emptyObject
        data = json["data"] ?? .emptyObject
    }

    /// On the socket's loop.
    init(_ socket: Socket) {
        id = socket.id
        rooms = socket.rooms
        handshake = Self.handshake(of: socket).json
        data = .emptyObject
    }

    package var json: JSONText {
        let value: JSONValue = [
            "id": .string(id), "handshake": .raw(handshake),
            "rooms": .array(rooms.sorted().map(JSONValue.string)), "data": .raw(data),
        ]
        return value.json
    }

    /// Credentials do not go through Redis: what a page of the client's own may read, others may
    /// be told.
    private static let secretHeaders: Set<String> = ["cookie", "authorization"]

    private static func handshake(of socket: Socket) -> JSONValue {
        let request = socket.handshake
        var headers = JSONMembers()
        for header in request.headers {
            let name = header.name.lowercased()
            guard !secretHeaders.contains(name) else { continue }
            let value = headers[name].map { "\($0.string ?? ""), \(header.value)" } ?? header.value
            headers[name] = .string(value)
        }
        var query = JSONMembers()
        for item in request.query { query[item.name] = .string(item.value) }
        return [
            "headers": .object(headers), "address": .string(request.remoteAddress),
            "xdomain": .bool(request.origin != nil), "secure": .bool(request.isSecure),
            "url": .string(request.path), "query": .object(query),
            "auth": .raw(socket.auth ?? .emptyObject),
        ]
    }
}

extension JSONValue {
    fileprivate var string: String? { if case .string(let value) = self { value } else { nil } }
}
