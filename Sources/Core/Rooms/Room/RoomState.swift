import JSON

/// A whole room: what its log folds to.
package struct RoomState: Sendable {
    package private(set) var control: RoomControl
    package private(set) var scene = SceneDocument()

    package init(id: String, epoch: Version) {
        control = RoomControl(id: id, epoch: epoch)
    }

    package var version: Version { control.version }

    /// Takes one committed entry into account.
    package mutating func fold(_ entry: VersionedEntry, limits: RoomLimits = RoomLimits()) {
        control.fold(entry, limits: limits)
        switch entry.entry.change {
        case .created(_, _, let editor):
            if let editor { replaceScene(editor, entry.version) }
        case .uploaded(let upload, _): replaceScene(upload, entry.version)
        case .edited(let edit, _): scene.apply(edit, at: entry.version)
        case .joined, .left, .away, .moved, .renamed, .hostHandedOver, .deleted: break
        }
    }

    /// What the store keeps instead of the entries up to `version`.
    ///
    /// Shape: one line with the byte count of the control JSON, the control JSON, the scene's own
    /// checkpoint.
    package func checkpoint() -> [UInt8] {
        let head = control.json.encoded
        var bytes = Array("tandem-room-1 \(head.count)\n".utf8)
        bytes += head
        bytes += scene.checkpoint()
        return bytes
    }

    package init(checkpoint: ArraySlice<UInt8>) throws(RoomCodecError) {
        let prefix = Array("tandem-room-1 ".utf8)
        guard checkpoint.starts(with: prefix),
            let lineEnd = checkpoint.firstIndex(of: UInt8(ascii: "\n")),
            let digits = String(
                validating: checkpoint[(checkpoint.startIndex + prefix.count)..<lineEnd],
                as: UTF8.self),
            let count = Int(digits), count >= 0, count < checkpoint.endIndex - lineEnd
        else { throw RoomCodecError(field: "checkpoint") }
        let controlEnd = lineEnd + 1 + count
        control = try RoomControl(StoredObject(checkpoint[(lineEnd + 1)..<controlEnd]))
        guard let stored = try? SceneDocument(checkpoint: checkpoint[controlEnd...]) else {
            throw RoomCodecError(field: "scene")
        }
        scene = stored
    }

    /// An upload was checked before it was committed; one that no longer passes leaves the scene.
    private mutating func replaceScene(_ upload: SceneUpload, _ version: Version) {
        try? scene.replace(with: upload.editorData, at: version)
    }
}

extension RoomControl {
    var json: JSONValue {
        let seen = authorised.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.int($0.value)) }
        return [
            "id": .string(id), "epoch": .integer(epoch), "version": .integer(version),
            "password": .optional(passwordHash), "members": .array(membersBySeniority.map(\.json)),
            "host": .optional(hostID), "hostCredential": .string(hostCredential),
            "hostName": .string(hostName), "hostAbsentSince": .int(hostAbsentSince),
            "authorised": .members(seen), "emptySince": .int(emptySince),
            "sceneVersion": .integer(sceneVersion), "sceneAuthor": .string(sceneAuthor),
            "othersSceneVersion": .integer(othersSceneVersion),
            "uploadHash": .optional(uploadHash),
        ]
    }

    init(_ stored: StoredObject) throws(RoomCodecError) {
        self.init(id: try stored.string("id"), epoch: try stored.version("epoch"))
        version = try stored.version("version")
        passwordHash = stored.optional("password")?.string
        for element in try stored.json("members").elements {
            let member = try Member(StoredObject(element, "members"))
            members[member.id] = member
        }
        countHolders()
        hostID = stored.optional("host")?.string
        hostCredential = try stored.string("hostCredential")
        hostName = try stored.string("hostName")
        hostAbsentSince = try stored.time("hostAbsentSince")
        var seen: [String: Int64] = [:]
        let credentials = try stored.json("authorised")
        credentials.forEachMember { name, value in
            let time = value.int ?? 0
            seen[name.string] = StoredObject.times.contains(time) ? time : 0
        }
        authorised = seen
        emptySince = try stored.time("emptySince")
        sceneVersion = try stored.version("sceneVersion")
        sceneAuthor = try stored.string("sceneAuthor")
        othersSceneVersion = try stored.version("othersSceneVersion")
        uploadHash = stored.optional("uploadHash")?.string
    }
}
