import JSON

// An entry is stored as one JSON object: `k` its kind, `i` its id, `m` when it was made if that is
// not its version, then the fields of the kind.
//
//     {"k":"left","i":"a1-7","member":"Zq…","cause":"swept"}
//
// Client data (scenes, objects, scripts) is embedded as the client spelled it.

extension RoomEntry {
    package var encoded: [UInt8] {
        var members = JSONMembers([("k", .string(change.kind)), ("i", .string(id))])
        if let madeAt { members.append("m", .integer(madeAt)) }
        change.append(to: &members)
        return JSONValue.object(members).encoded
    }

    package init(encoded: ArraySlice<UInt8>) throws(RoomCodecError) {
        let stored = try StoredObject(encoded)
        id = try stored.string("i")
        madeAt = stored.optional("m") == nil ? nil : try stored.version("m")
        change = try Change(kind: try stored.string("k"), stored)
    }
}

extension RoomEntry.Change {
    fileprivate var kind: String {
        switch self {
        case .created: "created"
        case .joined: "joined"
        case .left: "left"
        case .renamed: "renamed"
        case .away: "away"
        case .moved: "moved"
        case .hostHandedOver: "host"
        case .edited: "edited"
        case .uploaded: "uploaded"
        case .deleted: "deleted"
        }
    }

    fileprivate func append(to members: inout JSONMembers) {
        switch self {
        case .created(let creator, let hash, let editor):
            members.append("by", creator.json)
            members.append("password", .optional(hash))
            members.append("upload", editor?.json ?? .null)
        case .joined(let member, let replacing, let takesHost):
            members.append("member", member.json)
            members.append("replacing", .optional(replacing))
            members.append("host", .bool(takesHost))
        case .left(let memberID, let cause, let name):
            members.append("member", .string(memberID))
            members.append("cause", .string(cause.rawValue))
            if !name.isEmpty { members.append("name", .string(name)) }
        case .renamed(let memberID, let name, let oldName):
            members.append("member", .string(memberID))
            members.append("name", .string(name))
            if !oldName.isEmpty { members.append("from", .string(oldName)) }
        case .away(let memberID, let holder), .moved(let memberID, let holder):
            members.append("member", .string(memberID))
            members.append("holder", .string(holder))
        case .hostHandedOver(let memberID):
            members.append("member", .string(memberID))
        case .edited(let edit, let memberID):
            members.append("by", .string(memberID))
            members.append("edit", edit.json)
        case .uploaded(let upload, let memberID):
            members.append("by", .string(memberID))
            members.append("upload", upload.json)
        case .deleted(let memberID):
            members.append("by", .string(memberID))
        }
    }

    fileprivate init(kind: String, _ stored: StoredObject) throws(RoomCodecError) {
        switch kind {
        case "created":
            let creator = try Member(StoredObject(stored.optional("by"), "by"))
            self = .created(
                creator: creator, passwordHash: stored.optional("password")?.string,
                editor: try Self.upload(stored.optional("upload")))
        case "joined":
            self = .joined(
                try Member(StoredObject(stored.optional("member"), "member")),
                replacing: stored.optional("replacing")?.string,
                takesHost: try stored.bool("host"))
        case "left":
            guard let cause = LeaveCause(rawValue: try stored.string("cause")) else {
                throw RoomCodecError(field: "cause")
            }
            self = .left(
                memberID: try stored.string("member"), cause: cause,
                name: stored.optional("name")?.string ?? "")
        case "renamed":
            self = .renamed(
                memberID: try stored.string("member"), name: try stored.string("name"),
                from: stored.optional("from")?.string ?? "")
        case "away":
            self = .away(
                memberID: try stored.string("member"), holder: try stored.string("holder"))
        case "moved":
            self = .moved(
                memberID: try stored.string("member"), holder: try stored.string("holder"))
        case "host":
            self = .hostHandedOver(memberID: try stored.string("member"))
        case "edited":
            let edit = try SceneEdit(StoredObject(stored.optional("edit"), "edit"))
            self = .edited(edit, by: try stored.string("by"))
        case "uploaded":
            guard let upload = try Self.upload(stored.optional("upload")) else {
                throw RoomCodecError(field: "upload")
            }
            self = .uploaded(upload, by: try stored.string("by"))
        case "deleted":
            self = .deleted(by: try stored.string("by"))
        default:
            throw RoomCodecError(field: "k")
        }
    }

    private static func upload(_ text: JSONText?) throws(RoomCodecError) -> SceneUpload? {
        guard let text else { return nil }
        return try SceneUpload(StoredObject(text, "upload"))
    }
}

extension SceneEdit {
    var json: JSONValue {
        switch self {
        case .objectUpdate(let uuid, let data, let changeType):
            ["t": "object", "uuid": .string(uuid), "data": .raw(data), "as": .string(changeType)]
        case .objectRemoval(let uuid): ["t": "removal", "uuid": .string(uuid)]
        case .background(let data): ["t": "background", "data": .raw(data)]
        case .fog(let data): ["t": "fog", "data": .raw(data)]
        case .scriptAdded(let uuid, let script): Self.script("script+", uuid, script)
        case .scriptChanged(let uuid, let script): Self.script("script", uuid, script)
        case .scriptRemoved(let uuid, let script): Self.script("script-", uuid, script)
        case .material(let uuid, let data):
            ["t": "material", "uuid": .string(uuid), "data": .raw(data)]
        case .replace(let editorData): ["t": "replace", "data": .raw(editorData)]
        }
    }

    private static func script(_ type: String, _ uuid: String, _ script: JSONText) -> JSONValue {
        ["t": .string(type), "uuid": .string(uuid), "data": .raw(script)]
    }

    init(_ stored: StoredObject) throws(RoomCodecError) {
        let type = try stored.string("t")
        if type == "removal" {
            self = .objectRemoval(uuid: try stored.string("uuid"))
            return
        }
        let data = try stored.json("data")
        switch type {
        case "background": self = .background(data)
        case "fog": self = .fog(data)
        case "replace": self = .replace(editorData: data)
        case "material": self = .material(uuid: try stored.string("uuid"), data: data)
        case "object":
            self = .objectUpdate(
                uuid: try stored.string("uuid"), data: data, changeType: try stored.string("as"))
        case "script+":
            self = .scriptAdded(objectUUID: try stored.string("uuid"), script: data)
        case "script":
            self = .scriptChanged(objectUUID: try stored.string("uuid"), script: data)
        case "script-":
            self = .scriptRemoved(objectUUID: try stored.string("uuid"), script: data)
        default: throw RoomCodecError(field: "t")
        }
    }
}
