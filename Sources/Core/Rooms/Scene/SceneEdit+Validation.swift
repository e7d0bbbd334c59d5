import JSON

extension SceneEdit {
    /// Checks shapes and limits, knowing nothing of the scene; `SceneDocument.check` adds what
    /// depends on it. To be called before the edit is committed.
    package func validate() throws(SceneError) {
        switch self {
        case .objectUpdate(let uuid, let data, let changeType):
            try Self.checkUUID(uuid, "objectUuid")
            try Self.checkObject(data, "objectData")
            guard changeType.utf8.count <= SceneLimits.nameBytes else {
                throw .tooLarge("changeType", limit: SceneLimits.nameBytes)
            }
            _ = try ObjectUpdate.parse(data)
        case .objectRemoval(let uuid): try Self.checkUUID(uuid, "objectId")
        case .background(let data):
            try Self.checkMember(data, "backgroundData")
            guard data.isNull || LinearColor(background: data) != nil else {
                throw .malformed("backgroundData")
            }
        case .fog(let data):
            try Self.checkMember(data, "fogData")
            guard data.isNull || ThreeFog(data) != nil else { throw .malformed("fogData") }
        case .scriptAdded(let uuid, let script), .scriptChanged(let uuid, let script):
            try Self.checkScript(uuid, script)
            guard script["source"]?.kind == .string else { throw .malformed("script.source") }
        case .scriptRemoved(let uuid, let script): try Self.checkScript(uuid, script)
        case .material(let uuid, let data):
            try Self.checkUUID(uuid, "materialUuid")
            try Self.checkObject(data, "materialData")
            try TrustedScan.checkDepth(data, "materialData")
        case .replace(let editorData): try SceneDocument.validate(editorData)
        }
    }

    private static func checkUUID(_ uuid: String, _ name: String) throws(SceneError) {
        guard SceneObject.isAddressable(uuid) else { throw .malformed(name) }
    }

    private static func checkObject(_ data: JSONText, _ name: String) throws(SceneError) {
        guard data.kind == .object else { throw .malformed(name) }
        guard data.bytes.count <= SceneLimits.editBytes else {
            throw .tooLarge(name, limit: SceneLimits.editBytes)
        }
    }

    private static func checkMember(_ data: JSONText, _ name: String) throws(SceneError) {
        guard data.bytes.count <= SceneLimits.memberBytes else {
            throw .tooLarge(name, limit: SceneLimits.memberBytes)
        }
    }

    private static func checkScript(_ uuid: String, _ script: JSONText) throws(SceneError) {
        try checkUUID(uuid, "objectUuid")
        try checkObject(script, "script")
        guard let name = script["name"]?.string else { throw .malformed("script.name") }
        guard name.utf8.count <= SceneLimits.nameBytes else {
            throw .tooLarge("script.name", limit: SceneLimits.nameBytes)
        }
        try TrustedScan.checkDepth(script, "script")
    }
}
