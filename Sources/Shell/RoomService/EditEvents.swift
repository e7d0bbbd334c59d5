import JSON
import Rooms

/// Why a request was refused before it reached its room.
struct RequestProblem: Error, Sendable, Hashable {
    var code: ErrorCode
    var field: Messages.FieldProblem
}

/// The edit events of the contract: from a client's payload to a scene edit, and from an edit to
/// what the others receive.
enum EditEvents {
    /// - Returns: nil for an event that is not an edit of part of the scene.
    static func parse(
        _ event: ClientEvent, _ payload: JSONText
    ) throws(RequestProblem) -> SceneEdit? {
        let edit: SceneEdit
        switch event {
        case .objectUpdate:
            let data = try object(payload, "objectData")
            let uuid = payload["objectUuid"]?.string ?? data["object"]?["uuid"]?.string
            guard let uuid else { throw missing("objectUuid") }
            let changeType = payload["changeType"]?.string ?? "general"
            edit = .objectUpdate(uuid: uuid, data: data, changeType: changeType)
        case .objectRemoval:
            let id = payload["objectId"]?.string ?? payload["objectUuid"]?.string
            guard let id else { throw missing("objectId") }
            edit = .objectRemoval(uuid: id)
        case .materialUpdate:
            edit = .material(
                uuid: try string(payload, "materialUuid"),
                data: try object(payload, "materialData"))
        case .backgroundUpdate: edit = .background(try present(payload, "backgroundData"))
        case .fogUpdate: edit = .fog(try present(payload, "fogData"))
        case .scriptAdded:
            edit = .scriptAdded(
                objectUUID: try string(payload, "objectUuid"),
                script: try object(payload, "script"))
        case .scriptChanged:
            edit = .scriptChanged(
                objectUUID: try string(payload, "objectUuid"),
                script: try object(payload, "script"))
        case .scriptRemoved:
            edit = .scriptRemoved(
                objectUUID: try string(payload, "objectUuid"),
                script: try object(payload, "script"))
        default: return nil
        }
        return edit
    }

    /// The event that tells the other members of an edit; `author` nil: also its author.
    static func delivery(
        of edit: SceneEdit, by author: String?, authorName: String?, _ entry: VersionedEntry
    ) -> (event: String, payload: JSONValue) {
        var payload = JSONMembers()
        let event: String
        var doer = "updatedBy"
        switch edit {
        case .objectUpdate(let uuid, let data, let changeType):
            event = ServerEvent.objectUpdate
            payload.append("objectData", .raw(data))
            payload.append("objectUuid", .string(uuid))
            payload.append("changeType", .string(changeType))
        case .objectRemoval(let uuid):
            event = ServerEvent.objectRemoval
            payload.append("objectId", .string(uuid))
            doer = "removedBy"
        case .material(let uuid, let data):
            event = ServerEvent.materialUpdate
            payload.append("materialData", .raw(data))
            payload.append("materialUuid", .string(uuid))
        case .background(let data):
            event = ServerEvent.backgroundUpdate
            payload.append("backgroundData", .raw(data))
        case .fog(let data):
            event = ServerEvent.fogUpdate
            payload.append("fogData", .raw(data))
        case .scriptAdded(let uuid, let script):
            event = ServerEvent.scriptAdded
            appendScript(uuid, script, &payload)
        case .scriptChanged(let uuid, let script):
            event = ServerEvent.scriptChanged
            appendScript(uuid, script, &payload)
        case .scriptRemoved(let uuid, let script):
            event = ServerEvent.scriptRemoved
            appendScript(uuid, script, &payload)
        case .replace(let editorData):
            event = ServerEvent.fullEditor
            payload.append("editorData", .raw(editorData))
        }
        if let author { payload.append("originUserId", .string(author)) }
        payload.append(doer, .optional(authorName))
        payload.append("timestamp", .int(entry.milliseconds))
        payload.append("version", .integer(entry.version))
        return (event, .object(payload))
    }

    /// Edits with the same key supersede one another while they are held for a busy client. An
    /// edit that adds is not superseded: the receiver needs it to know the object.
    static func holdKey(of edit: SceneEdit) -> String? {
        switch edit {
        case .objectUpdate(let uuid, _, "general"), .objectUpdate(let uuid, _, "material-change"),
            .objectUpdate(let uuid, _, "geometry-change"):
            "object:\(uuid)"
        case .background: "background"
        case .fog: "fog"
        default: nil
        }
    }

    private static func appendScript(
        _ uuid: String, _ script: JSONText, _ payload: inout JSONMembers
    ) {
        payload.append("objectUuid", .string(uuid))
        payload.append("script", .raw(script))
    }

    private static func missing(_ field: String) -> RequestProblem {
        RequestProblem(code: .missingData, field: .missing(field))
    }

    private static func object(
        _ payload: JSONText, _ field: String
    ) throws(RequestProblem) -> JSONText {
        guard let value = payload[key: field], value.kind == .object else { throw missing(field) }
        return value
    }

    private static func string(
        _ payload: JSONText, _ field: String
    ) throws(RequestProblem) -> String {
        guard let value = payload[key: field]?.string else { throw missing(field) }
        return value
    }

    /// Null counts: it is how a background or fog is taken away.
    private static func present(
        _ payload: JSONText, _ field: String
    ) throws(RequestProblem) -> JSONText {
        guard let value = payload[key: field] else { throw missing(field) }
        return value
    }
}
