import JSON
import SocketIOServer

/// What the holder of the admin token sees: `/api/admin/status`, `/api/admin/rooms/<id>`.
extension HTTPAPI {
    func adminPage(_ report: AdminReport) -> HTTPResponse {
        let memory = ProcessMemory.residentBytes
        let body: JSONValue = [
            "instance": .string(source.instance().id),
            "incarnation": .string(source.instance().incarnation),
            "redisAddress": .optional(report.redisAddress),
            "residentMemoryBytes": memory.map { .integer($0) } ?? .null,
            "details": report.details,
        ]
        return .json(body.encoded)
    }

    func adminRoomPage(_ report: AdminRoomReport?) -> HTTPResponse {
        guard let report else {
            return .error(.notFound, code: "ROOM_NOT_FOUND", message: "There is no such room")
        }
        let body: JSONValue = [
            "id": .string(report.id), "version": .integer(report.version),
            "isProtected": .bool(report.isProtected),
            "members": .array(
                report.members.map { member in
                    [
                        "id": .string(member.id), "name": .string(member.name),
                        "role": member.isHost ? "host" : "guest",
                        "holder": .string(member.holder), "joinedAt": .int(member.joinedAt),
                    ]
                }),
        ]
        return .json(body.encoded)
    }
}
