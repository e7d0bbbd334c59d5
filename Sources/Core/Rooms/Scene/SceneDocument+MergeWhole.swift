import JSON

extension SceneDocument {
    /// What a whole scene of the other side brings into this one.
    package struct Import: Sendable {
        /// The same for the same part of the same scene: which part it is, and its version.
        package let name: String
        package let version: Version
        /// As `merge(_:at:from:)` gives it.
        package let winners: [SceneEdit]
    }

    /// Brings a scene of the other side into this one where its edits are not known one by one: as
    /// if each thing in it had been set by an edit at the version that it has. So of each thing the
    /// later version wins, and merging the same scene again changes nothing.
    ///
    /// Objects that this side does not have come with those below them. Where only the parent is
    /// here, and was changed later than on the other side, they come below the root.
    package mutating func merge(
        whole other: SceneDocument, from otherSide: inout OtherSide
    ) -> [Import] {
        var imports: [Import] = []
        func take(_ edit: SceneEdit, at version: Version, _ name: String) {
            let winners = merge(edit, at: version, from: &otherSide)
            guard !winners.isEmpty else { return }
            imports.append(Import(name: name, version: version, winners: winners))
        }
        if other.replacedAt > replacedAt, let data = other.editorData() {
            take(.replace(editorData: data), at: other.replacedAt, "upload")
        }
        for grave in other.tombstones.all where grave.version > replacedAt {
            let object = grave.key.object
            if let name = grave.key.script {
                let script: JSONValue = ["name": .string(name)]
                take(
                    .scriptRemoved(objectUUID: object, script: script.json), at: grave.version,
                    "-\(object)/\(name)")
            } else {
                take(.objectRemoval(uuid: object), at: grave.version, "-\(object)")
            }
        }
        if let root = other.rootUpdate { take(root.edit, at: root.version, "root") }
        let finder = other.assets.finder
        for slot in other.tree.subtree(of: other.tree.root).dropFirst() {
            let node = other.tree[slot]
            guard let uuid = node.uuid, lacks(node) else { continue }
            let data = other.update(of: slot, with: finder) {
                lacks($0) && !contains($0.uuid ?? "")
            }
            take(
                .objectUpdate(uuid: uuid, data: data, changeType: ChangeType.forceSync),
                at: node.version, uuid)
        }
        for (name, version, edit) in other.memberEdits(camera: cameraUUID) {
            take(edit, at: version, name)
        }
        return imports
    }

    /// Whether the other side's object is later than what this side knows of it.
    private func lacks(_ node: ObjectTree.Node) -> Bool {
        guard let uuid = node.uuid else { return false }
        return node.version > max(lastModified(of: uuid) ?? 0, replacedAt)
    }

    /// The root as an update; nil if it is as it was made for the first edit.
    private var rootUpdate: (edit: SceneEdit, version: Version)? {
        guard !tree.isEmpty, let uuid = tree[tree.root].uuid else { return nil }
        let root = tree[tree.root]
        guard !isSkeleton || root.properties != SceneSkeleton.rootProperties else { return nil }
        var object = SceneObject(uuid: uuid, parent: 0, end: 1)
        object.uuidText = JSONValue.string(uuid).json
        object.properties = rootProperties
        let data = ObjectUpdate(objects: [object]).data()
        let edit = SceneEdit.objectUpdate(uuid: uuid, data: data, changeType: ChangeType.general)
        return (edit, root.version)
    }

    /// An object with those below it that are new to the other side, and the assets they use.
    private func update(
        of top: ObjectTree.Slot, with finder: SceneAssets.Finder,
        isNew: (ObjectTree.Node) -> Bool
    ) -> JSONText {
        var objects: [SceneObject] = []
        var places: [ObjectTree.Slot: Int] = [:]
        tree.walk(
            from: top,
            enter: { slot, node in
                let parent = slot == top ? 0 : places[node.parent]
                guard let parent, slot == top || node.uuid == nil || isNew(node) else { return }
                places[slot] = objects.count
                var object = SceneObject(uuid: node.uuid, parent: parent)
                object.uuidText = node.uuid.map { JSONValue.string($0).json }
                object.properties = node.properties
                objects.append(object)
            },
            leave: { slot in
                if let place = places[slot] { objects[place].end = objects.count }
            })
        let libraries = finder.libraries(usedBy: objects.map(\.properties))
        return ObjectUpdate(objects: objects, libraries: libraries).data()
    }

    /// What there is besides objects.
    private func memberEdits(camera known: String?) -> [(String, Version, SceneEdit)] {
        var edits: [(String, Version, SceneEdit)] = []
        for asset in assets[.materials].assets {
            guard let uuid = asset.uuid else { continue }
            let data = JSONText(unchecked: asset.text[...])
            edits.append(("material \(uuid)", asset.version, .material(uuid: uuid, data: data)))
        }
        for object in scripts.objects {
            for script in scripts[object] {
                let text = JSONText(unchecked: script.text[...])
                edits.append(
                    (
                        "\(object)/\(script.name)", script.version,
                        .scriptAdded(objectUUID: object, script: text)
                    ))
            }
        }
        if let edit = backgroundEdit { edits.append(("background", background.version, edit)) }
        if fog.version > 0 {
            let data = fog.value.map { JSONText(unchecked: $0[...]) } ?? JSONValue.null.json
            edits.append(("fog", fog.version, .fog(data)))
        }
        if let uuid = cameraUUID, uuid == known, let data = camera.value {
            edits.append(
                (
                    "camera", camera.version,
                    .objectUpdate(uuid: uuid, data: data, changeType: ChangeType.general)
                ))
        }
        return edits
    }

    /// Nil for a texture, which comes with the root.
    private var backgroundEdit: SceneEdit? {
        guard background.version > 0 else { return nil }
        guard let value = background.value else { return .background(JSONValue.null.json) }
        guard let hex = JSONText(unchecked: value[...]).int else { return nil }
        let color = LinearColor(sRGBHex: hex)
        let data: JSONValue = [
            "type": "Color", "r": .double(color.red), "g": .double(color.green),
            "b": .double(color.blue),
        ]
        return .background(data.json)
    }
}
