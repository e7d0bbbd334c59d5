import JSON

extension SceneDocument {
    /// Replaces the whole scene. Throws, and changes nothing, if the upload cannot be stored.
    package mutating func replace(
        with editorData: JSONText, at version: Version
    ) throws(SceneError) {
        var next = SceneDocument(try EditorUpload.parse(editorData), at: version)
        next.tombstones = tombstones
        next.buryObjects(missingFrom: self, at: version)
        self = next
    }

    /// A scene of nothing but the upload.
    init(_ upload: EditorUpload, at version: Version) {
        self.version = version
        replacedAt = version
        metadata = upload.metadata?.owned
        project = upload.project?.owned
        environment = upload.environment?.owned
        sceneMetadata = upload.sceneMetadata?.owned
        sceneMembers = upload.sceneMembers.map { key, value in
            let quoted = [UInt8(ascii: "\"")] + key.raw + [UInt8(ascii: "\"")]
            return (quoted, Array(value.bytes))
        }
        setCamera(upload.camera.owned, at: version)
        for library in upload.libraries {
            assets[library.kind].merge(library.array, at: version, keepingLoose: true)
        }
        assets.byteCountAfterSweep = assets.byteCount
        plant(upload.objects, at: version)
        takeScripts(upload.scripts, at: version)
    }

    mutating func setCamera(_ text: JSONText, at version: Version) {
        camera = Stamped(value: text, version: version)
        cameraUUID = text["object"]?["uuid"]?.string
    }

    /// Removes tombstones of what is there, and sets one for each object of the former scene that
    /// is not.
    mutating func buryObjects(missingFrom former: SceneDocument, at version: Version) {
        for slot in tree.subtree(of: tree.root) {
            if let uuid = tree[slot].uuid { tombstones.remove(uuid) }
        }
        for slot in former.tree.subtree(of: former.tree.root) {
            let node = former.tree[slot]
            guard let uuid = node.uuid, tree.slot(of: uuid) == nil else { continue }
            bury(uuid, at: max(version, node.version))
        }
    }

    /// Remembers a removal.
    mutating func bury(_ object: String, script: String? = nil, at version: Version) {
        for forgotten in tombstones.insert(object, script: script, at: version)
        where forgotten.script == nil && tree.slot(of: forgotten.object) == nil {
            scripts.removeAll(of: forgotten.object)
        }
    }

    /// Builds the tree of a full upload. A root without usable uuid gets one.
    private mutating func plant(_ objects: [SceneObject], at version: Version) {
        guard let first = objects.first else { return }
        var slots: [ObjectTree.Slot] = []
        slots.reserveCapacity(objects.count)
        let root = setRootMembers(of: first.properties, at: version)
        let uuid = first.uuid ?? SceneSkeleton.rootUUID(at: version)
        slots.append(tree.insert(uuid: uuid, properties: root, version: version))
        for object in objects.dropFirst() {
            let isAddressed = object.uuid.map { tree.slot(of: $0) == nil } ?? false
            slots.append(
                tree.insert(
                    uuid: isAddressed ? object.uuid : nil,
                    properties: isAddressed ? object.properties : object.propertiesWithUUID,
                    version: version, under: slots[object.parent]))
        }
    }

    /// Takes `background` and `fog` out of the root's properties and gives the rest. They are set
    /// unless they were set later. Null counts as absent: `ObjectLoader` throws on `fog: null`.
    mutating func setRootMembers(of properties: [UInt8], at version: Version) -> [UInt8] {
        let setsBackground = version >= background.version
        let setsFog = version >= fog.version
        if setsBackground { background = Stamped(value: nil, version: version) }
        if setsFog { fog = Stamped(value: nil, version: version) }
        var rest: [UInt8] = [UInt8(ascii: "{")]
        JSONText(unchecked: properties[...]).forEachMember { key, value in
            if key == "background" {
                guard setsBackground else { return }
                background.value = value.isNull ? nil : Array(value.bytes)
            } else if key == "fog" {
                guard setsFog else { return }
                fog.value = value.kind == .object ? Array(value.bytes) : nil
            } else {
                if rest.count > 1 { rest.append(UInt8(ascii: ",")) }
                rest.append(UInt8(ascii: "\""))
                rest += key.raw
                rest += #"":"#.utf8
                rest += value.bytes
            }
        }
        rest.append(UInt8(ascii: "}"))
        return rest
    }

    /// Scripts of objects that the upload does not have are dropped, as by the browser client
    /// (R29).
    private mutating func takeScripts(_ table: JSONText?, at version: Version) {
        table?.forEachMember { key, list in
            let object = key.string
            guard tree.slot(of: object) != nil else { return }
            scripts.removeAll(of: object)
            list.forEachElement { script in
                guard script.kind == .object else { return }
                scripts.append(SceneScripts.Script(script, at: version), to: object)
            }
        }
    }
}

extension SceneScripts.Script {
    init(_ script: JSONText, at version: Version) {
        self.init(
            name: script["name"]?.string ?? "", text: Array(script.bytes), version: version)
    }
}

extension JSONText {
    /// The same value in storage of its own, so that it does not keep a whole message alive.
    var owned: JSONText { JSONText(unchecked: Array(bytes)[...]) }
}
