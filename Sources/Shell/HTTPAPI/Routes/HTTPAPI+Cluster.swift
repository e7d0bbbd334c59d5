import JSON
import NIOHTTP1
import SocketIOServer

/// Who is there and what it holds: `/api/instance`, `/api/stats`, `/api/all-rooms`,
/// `/api/load-balancer`.
extension HTTPAPI {
    func instance() -> HTTPResponse {
        let instance = source.instance()
        let body: JSONValue = [
            "instance": .string(instance.id), "url": .string(instance.publicURL),
            "version": .string(instance.version),
            "status": .string(source.health().status.rawValue),
            "uptime": .double(instance.uptime.seconds),
            "nodes": .array(instance.nodes.map(node)),
        ]
        return .json(body.encoded)
    }

    func stats() -> HTTPResponse {
        let instance = source.instance()
        let stats = source.stats()
        let body: JSONValue = [
            "instance": .string(instance.id), "uptime": .double(instance.uptime.seconds),
            "users": .integer(stats.clients), "members": .integer(stats.members),
            "rooms": .integer(stats.rooms),
            "transports": [
                "websocket": .integer(stats.webSocketClients),
                "polling": .integer(max(0, stats.clients - stats.webSocketClients)),
            ],
            "messages": [
                "received": .integer(stats.messagesReceived), "sent": .integer(stats.messagesSent),
            ],
            "cluster": [
                "instances": .integer(instance.nodes.count),
                "alive": .integer(instance.nodes.count(where: \.isAlive)),
                "rooms": stats.clusterRooms.map { .integer($0) } ?? .null,
                "users": stats.clusterClients.map { .integer($0) } ?? .null,
            ],
        ]
        return .json(body.encoded)
    }

    func rooms(_ items: [JSONValue]) -> HTTPResponse {
        let body: JSONValue = [
            "success": true, "instance": .string(source.instance().id),
            "count": .integer(items.count), "rooms": .array(items),
        ]
        return .json(body.encoded)
    }

    /// `?roomId=ID`: the instance that the ring names, by the name that nginx's upstream has in
    /// the configuration.
    func loadBalancer(_ request: HTTPRequest) -> HTTPResponse {
        guard let room = request.queryItem("roomId"), options.isRoomID(room) else {
            return .error(
                .badRequest, code: "VALIDATION_ERROR",
                message: "roomId must be 3 to 50 letters, digits, hyphens or underscores",
                details: encodedText(["parameter": "roomId"]))
        }
        let instance = source.instance()
        let placement = source.placement(of: room)
        let body: JSONValue = [
            "roomId": .string(room), "owner": .string(placement.owner.id),
            "url": .string(placement.owner.url), "alive": .bool(placement.owner.isAlive),
            "configuredOwner": .string(placement.configuredOwnerID),
            "answeredBy": .string(instance.id), "nodes": .array(instance.nodes.map(node)),
        ]
        return .json(body.encoded)
    }

    private func node(_ node: NodeReport) -> JSONValue {
        [
            "id": .string(node.id), "url": .string(node.url), "state": .string(node.state),
            "alive": .bool(node.isAlive), "weight": .integer(node.weight),
        ]
    }
}
