import JSON

extension SceneDocument {
    /// Folds a committed edit into the scene.
    ///
    /// Refusals were made before the commit; what cannot be applied here is ignored, the same way
    /// on every instance.
    package mutating func apply(_ edit: SceneEdit, at version: Version) {
        switch edit {
        case .objectUpdate(let uuid, let data, let changeType):
            guard let update = try? ObjectUpdate.parse(data) else { return }
            applyUpdate(update, of: uuid, adds: ChangeType.adds(changeType), at: version)
        case .objectRemoval(let uuid): applyRemoval(of: uuid, at: version)
        case .background(let data): applyBackground(data, at: version)
        case .fog(let data): applyFog(data, at: version)
        case .scriptAdded(let uuid, let script):
            scripts.append(SceneScripts.Script(script, at: version), to: uuid)
            tombstones.remove(uuid, script: script["name"]?.string ?? "")
        case .scriptChanged(let uuid, let script):
            scripts.change(SceneScripts.Script(script, at: version), of: uuid)
            tombstones.remove(uuid, script: script["name"]?.string ?? "")
        case .scriptRemoved(let uuid, let script):
            let name = script["name"]?.string ?? ""
            if scripts.remove(name, of: uuid) { bury(uuid, script: name, at: version) }
        case .material(let uuid, let data): applyMaterial(data, uuid, at: version)
        case .replace(let editorData): try? replace(with: editorData, at: version)
        }
        self.version = max(self.version, version)
    }

    /// What an object update is about.
    enum Target {
        case known(ObjectTree.Slot)
        case camera
        /// The root under another uuid.
        case root
        case removed(Version)
        case unknown
    }

    func target(of uuid: String, _ update: ObjectUpdate) -> Target {
        if let slot = tree.slot(of: uuid) { return .known(slot) }
        if uuid == cameraUUID { return .camera }
        if let removed = tombstones.version(of: uuid) { return .removed(removed) }
        return update.objects[0].type == "Scene" ? .root : .unknown
    }

    /// Gives the positions of descendants that were left out because they were removed later.
    @discardableResult
    mutating func applyUpdate(
        _ update: ObjectUpdate, of uuid: String, adds: Bool, at version: Version
    ) -> Set<Int> {
        var left: Set<Int> = []
        switch target(of: uuid, update) {
        case .known(let slot):
            setProperties(update.objects[0].properties, of: slot, at: version)
            if adds { left = graft(update.objects, at: slot, isNew: false, version) }
        case .camera: updateCamera(update, at: version)
        case .root: left = updateRoot(update, uuid, adds: adds, at: version)
        case .removed where !adds: return []
        case .removed where update.objects[0].type == "Scene":
            tombstones.remove(uuid)
            left = updateRoot(update, uuid, adds: adds, at: version)
        case .removed, .unknown:
            let slot = tree.insert(
                uuid: uuid, properties: update.objects[0].properties, version: version,
                under: rootForEdit(at: version))
            tombstones.remove(uuid)
            left = graft(update.objects, at: slot, isNew: true, version)
        }
        for library in update.libraries {
            assets[library.kind].merge(library.array, at: version, keepingLoose: false)
        }
        sweepIfGrown()
        return left
    }

    mutating func sweepIfGrown() {
        if assets.wantsSweep { sweepAssets() }
    }

    /// Drops assets that no object uses.
    mutating func sweepAssets() {
        assets.sweep { mark in
            tree.walk(
                from: tree.root, enter: { $1.properties.withUnsafeBufferPointer(mark) },
                leave: { _ in })
            background.value?.withUnsafeBufferPointer(mark)
            for member in sceneMembers { member.value.withUnsafeBufferPointer(mark) }
        }
    }

    /// The root, made if the room has none.
    mutating func rootForEdit(at version: Version) -> ObjectTree.Slot {
        if !tree.isEmpty { return tree.root }
        isSkeleton = true
        return tree.insert(
            uuid: SceneSkeleton.rootUUID(at: version), properties: SceneSkeleton.rootProperties,
            version: version)
    }

    private mutating func setProperties(
        _ properties: [UInt8], of slot: ObjectTree.Slot, at version: Version
    ) {
        let own = slot == tree.root ? setRootMembers(of: properties, at: version) : properties
        tree.update(slot, properties: own, version: version)
    }

    /// An update that calls the root by a uuid of its own. A root made for edits takes that uuid
    /// and, when the update founds the scene, the children; an uploaded one keeps its uuid.
    private mutating func updateRoot(
        _ update: ObjectUpdate, _ uuid: String, adds: Bool, at version: Version
    ) -> Set<Int> {
        let founds = tree.isEmpty
        let root = rootForEdit(at: version)
        if isSkeleton { tree.rename(root, to: uuid) }
        setProperties(update.objects[0].properties, of: root, at: version)
        guard founds || adds else { return [] }
        return graft(update.objects, at: root, isNew: founds, version)
    }

    private mutating func updateCamera(_ update: ObjectUpdate, at version: Version) {
        var object = update.objects[0]
        object.uuidText = cameraUUID.map { JSONValue.string($0).json }
        let properties = JSONText(unchecked: object.propertiesWithUUID[...])
        let metadata = update.metadata ?? camera.value?["metadata"]
        let text: JSONValue = [
            "metadata": metadata.map { .raw($0) } ?? SceneSkeleton.metadata,
            "object": .raw(properties),
        ]
        setCamera(text.json, at: version)
    }

    /// Adds the unknown descendants of an update's first object, which is `slot`. Those below a
    /// known object go below it where it is; where the tree would become too deep, below the root.
    /// Objects without uuid are added only with a new parent: below a known one nobody could tell
    /// whether they are there already. Gives the positions of those that were removed later.
    private mutating func graft(
        _ objects: [SceneObject], at slot: ObjectTree.Slot, isNew: Bool, _ version: Version
    ) -> Set<Int> {
        var left: Set<Int> = []
        var places: [Int: (slot: ObjectTree.Slot, isNew: Bool)] = [0: (slot, isNew)]
        var index = 1
        while index < objects.count {
            let object = objects[index]
            guard let parent = places[object.parent] else {
                index = object.end
                continue
            }
            if let uuid = object.uuid, let known = tree.slot(of: uuid) {
                places[index] = (known, false)
            } else if object.uuid == nil && !parent.isNew {
                index = object.end
                continue
            } else if let uuid = object.uuid, let removed = tombstones.version(of: uuid),
                removed > version
            {
                left.insert(index)
                index = object.end
                continue
            } else {
                places[index] = (add(object, under: parent.slot, at: version), true)
            }
            index += 1
        }
        return left
    }

    private mutating func add(
        _ object: SceneObject, under parent: ObjectTree.Slot, at version: Version
    ) -> ObjectTree.Slot {
        if let uuid = object.uuid { tombstones.remove(uuid) }
        let fits = tree.depth(of: parent) < SceneLimits.treeDepth
        return tree.insert(
            uuid: object.uuid,
            properties: object.uuid == nil ? object.propertiesWithUUID : object.properties,
            version: version, under: fits ? parent : tree.root)
    }

    /// Removes an object with all below it, and remembers each so that no late update brings it
    /// back. The root and the camera cannot be removed: three.js ignores it too.
    private mutating func applyRemoval(of uuid: String, at version: Version) {
        guard uuid != cameraUUID else { return }
        guard let slot = tree.slot(of: uuid) else {
            bury(uuid, at: version)
            return
        }
        guard slot != tree.root else { return }
        removeSubtree(slot, at: version)
    }

    mutating func removeSubtree(_ slot: ObjectTree.Slot, at version: Version) {
        var gone: [String] = []
        tree.remove(slot) { node in
            if let uuid = node.uuid { gone.append(uuid) }
        }
        for uuid in gone { bury(uuid, at: version) }
    }

    private mutating func applyBackground(_ data: JSONText, at version: Version) {
        if data.isNull {
            background = Stamped(value: nil, version: version)
        } else if let color = LinearColor(background: data) {
            _ = rootForEdit(at: version)
            background = Stamped(
                value: JSONValue.int(color.sRGBHex).encoded, version: version)
        }
    }

    private mutating func applyFog(_ data: JSONText, at version: Version) {
        if data.isNull {
            fog = Stamped(value: nil, version: version)
        } else if let value = ThreeFog(data) {
            _ = rootForEdit(at: version)
            fog = Stamped(value: value.json.encoded, version: version)
        }
    }

    /// Sets a material, known or not, from `Material.toJSON()`, whose `textures` and `images` are
    /// libraries of the scene.
    private mutating func applyMaterial(_ data: JSONText, _ uuid: String, at version: Version) {
        guard data.kind == .object else { return }
        var text = Array(#"{"uuid":"#.utf8)
        JSONValue.string(uuid).write(into: &text)
        data.forEachMember { key, value in
            if key == "uuid" || key == "metadata" { return }
            if value.kind == .array, let kind = AssetLibrary.Kind(key) {
                assets[kind].merge(value, at: version, keepingLoose: false)
                return
            }
            text += #",""#.utf8
            text += key.raw
            text += #"":"#.utf8
            text += value.bytes
        }
        text.append(UInt8(ascii: "}"))
        assets[.materials].set(AssetLibrary.Asset(uuid: uuid, text: text, version: version))
        sweepIfGrown()
    }
}
