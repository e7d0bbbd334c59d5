import JSON

extension SceneDocument {
    private static let magic = Array("TSCN".utf8)
    /// Number of the format below; bytes of another one are refused.
    private static let format: UInt8 = 1
    private static let checksumBytes = 8

    /// Everything about the scene: versions and tombstones too, so that a scene read back folds
    /// further exactly as this one does.
    ///
    /// Shape: `TSCN`, the format number, the fields in the order of the functions below, a checksum
    /// of all before it. The same scene gives the same bytes.
    package func checkpoint() -> [UInt8] {
        var writer = CheckpointWriter()
        writer.raw(Self.magic + [Self.format])
        write(head: &writer)
        write(assets: &writer)
        write(tree: &writer)
        write(scripts: &writer)
        write(tombstones: &writer)
        let checksum = Self.checksum(writer.bytes[...])
        writer.raw((0..<UInt64(Self.checksumBytes)).map { UInt8(checksum >> ($0 * 8) & 0xFF) })
        return writer.bytes
    }

    package init(checkpoint: ArraySlice<UInt8>) throws(SceneError) {
        let start = Self.magic + [Self.format]
        guard checkpoint.starts(with: start),
            checkpoint.count >= start.count + Self.checksumBytes
        else { throw .corruptCheckpoint }
        let body = checkpoint.dropLast(Self.checksumBytes)
        let checksum = checkpoint.suffix(Self.checksumBytes).reversed()
            .reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard checksum == Self.checksum(body) else { throw .corruptCheckpoint }
        var reader = CheckpointReader(body.dropFirst(start.count))
        try read(head: &reader)
        try read(assets: &reader)
        try read(tree: &reader)
        try read(scripts: &reader)
        try read(tombstones: &reader)
        guard reader.isAtEnd else { throw .corruptCheckpoint }
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var hasher = ContentHasher()
        hasher.combine(bytes)
        return hasher.finish()
    }

    private func write(head writer: inout CheckpointWriter) {
        writer.number(version)
        writer.number(replacedAt)
        writer.count(isSkeleton ? 1 : 0)
        for member in [background, fog] {
            writer.optional(member.value)
            writer.number(member.version)
        }
        writer.optional(camera.value?.bytes)
        writer.number(camera.version)
        for text in [metadata, project, environment, sceneMetadata] {
            writer.optional(text?.bytes)
        }
        writer.count(sceneMembers.count)
        for member in sceneMembers {
            writer.bytes(member.key)
            writer.bytes(member.value)
        }
    }

    private mutating func read(head reader: inout CheckpointReader) throws(SceneError) {
        version = try reader.number()
        replacedAt = try reader.number()
        isSkeleton = try reader.flag()
        background = Stamped(
            value: try reader.optionalJSON().map { Array($0.bytes) }, version: try reader.number())
        fog = Stamped(
            value: try reader.optionalJSON().map { Array($0.bytes) }, version: try reader.number())
        let camera = try reader.optionalJSON()
        let cameraVersion = try reader.number()
        if let camera { setCamera(camera, at: cameraVersion) }
        metadata = try reader.optionalJSON()
        project = try reader.optionalJSON()
        environment = try reader.optionalJSON()
        sceneMetadata = try reader.optionalJSON()
        for _ in 0..<(try reader.count()) {
            let key = Array(try reader.json(.string).bytes)
            sceneMembers.append((key, Array(try reader.json().bytes)))
        }
    }

    private func write(assets writer: inout CheckpointWriter) {
        writer.count(assets.byteCountAfterSweep)
        for kind in AssetLibrary.Kind.allCases {
            writer.count(assets[kind].assets.count)
            for asset in assets[kind].assets {
                writer.optional(asset.uuid?.utf8)
                writer.number(asset.version)
                writer.bytes(asset.text)
            }
        }
    }

    private mutating func read(assets reader: inout CheckpointReader) throws(SceneError) {
        assets.byteCountAfterSweep = min(try reader.size(), SceneLimits.sceneBytes)
        for kind in AssetLibrary.Kind.allCases {
            for _ in 0..<(try reader.count()) {
                assets[kind].set(
                    AssetLibrary.Asset(
                        uuid: try reader.optionalString(), version: try reader.number(),
                        text: try reader.object()))
            }
        }
    }

    /// Each node with its level, before its children.
    private func write(tree writer: inout CheckpointWriter) {
        writer.count(tree.count)
        var level = 0
        tree.walk(
            from: tree.root,
            enter: { _, node in
                level += 1
                writer.count(level)
                writer.optional(node.uuid?.utf8)
                writer.number(node.version)
                writer.bytes(node.properties)
            },
            leave: { _ in level -= 1 })
    }

    private mutating func read(tree reader: inout CheckpointReader) throws(SceneError) {
        var path: [ObjectTree.Slot] = []
        for index in 0..<(try reader.count()) {
            let level = try reader.count()
            guard index == 0 ? level == 1 : (2...path.count + 1).contains(level) else {
                throw .corruptCheckpoint
            }
            let uuid = try reader.optionalString()
            let isNew = uuid.map { tree.slot(of: $0) == nil } ?? (index > 0)
            guard isNew else { throw .corruptCheckpoint }
            let version = try reader.number()
            path.removeSubrange((level - 1)...)
            path.append(
                tree.insert(
                    uuid: uuid, properties: try reader.object(), version: version,
                    under: path.last ?? ObjectTree.none))
        }
    }

    private func write(scripts writer: inout CheckpointWriter) {
        writer.count(scripts.objects.count)
        for object in scripts.objects {
            writer.bytes(object.utf8)
            writer.count(scripts[object].count)
            for script in scripts[object] {
                writer.bytes(script.name.utf8)
                writer.number(script.version)
                writer.bytes(script.text)
            }
        }
    }

    private mutating func read(scripts reader: inout CheckpointReader) throws(SceneError) {
        for _ in 0..<(try reader.count()) {
            let object = try reader.string()
            for _ in 0..<(try reader.count()) {
                scripts.append(
                    SceneScripts.Script(
                        name: try reader.string(), version: try reader.number(),
                        text: try reader.object()),
                    to: object)
            }
        }
    }

    private func write(tombstones writer: inout CheckpointWriter) {
        let all = tombstones.all
        writer.count(all.count)
        for tombstone in all {
            writer.bytes(tombstone.key.object.utf8)
            writer.optional(tombstone.key.script?.utf8)
            writer.number(tombstone.version)
        }
    }

    private mutating func read(tombstones reader: inout CheckpointReader) throws(SceneError) {
        for _ in 0..<(try reader.count()) {
            let object = try reader.string()
            let script = try reader.optionalString()
            bury(object, script: script, at: try reader.number())
        }
    }
}

extension AssetLibrary.Asset {
    fileprivate init(uuid: String?, version: UInt64, text: [UInt8]) {
        self.init(uuid: uuid, text: text, version: version)
    }
}

extension SceneScripts.Script {
    fileprivate init(name: String, version: UInt64, text: [UInt8]) {
        self.init(name: name, text: text, version: version)
    }
}
