import JSON

extension SceneDocument {
    /// Brings edits that were made on the other side of a partition into this scene, which is the
    /// store's truth. Gives the edits that won, in order, as they have to be appended to the log:
    /// folded into the scene as it was, they give the scene as it is now (but for the versions).
    ///
    /// Each edit's version is that under which the other side committed it. For each object, asset,
    /// script, background, fog and camera the later version wins; of equal ones this side's. A
    /// removal wins over what was done to the object before it and loses to what was done after:
    /// what is left below a removed object goes below the root, and an update newer than a removal
    /// of this side brings the object back, as `force-sync` so that members do the same. A full
    /// upload counts as a change of everything: what the other side set later is put on top of it.
    /// Merging the same edits again changes nothing.
    ///
    /// `base` is the version up to which both sides have the same log; if it is not given, the
    /// first of the edits is taken for the beginning of the partition. Updates of what was removed
    /// before that, or by the other side itself, were of no effect there and are of none here.
    package mutating func merge(
        local edits: [(Version, SceneEdit)], since base: Version? = nil
    ) -> [SceneEdit] {
        let ordered = edits.sorted { $0.0 < $1.0 }
        var otherSide = OtherSide(base: base ?? ordered.first?.0 ?? 0)
        var won: [SceneEdit] = []
        for (version, edit) in ordered { won += merge(edit, at: version, from: &otherSide) }
        return won
    }

    /// What is known of the side that edits come from.
    package struct OtherSide: Sendable {
        let base: Version
        /// Objects of whose removal here it did not know, whatever version that has.
        var unseenRemovals: Set<String> = []
        /// Objects that it has removed.
        var dead: Set<String> = []
        /// Objects that it has added, whether they won here or not.
        var alive: Set<String> = []

        /// - Parameter base: The version up to which both sides have the same log.
        /// - Parameter scene: This side's before any edit was put where it was made: a removal that
        ///   came over from a third side after the base may have been made before it.
        package init(base: Version, before scene: SceneDocument? = nil) {
            self.base = base
            for grave in scene?.tombstones.all ?? [] where grave.version > base {
                if grave.key.script == nil { unseenRemovals.insert(grave.key.object) }
            }
        }

        func knew(_ object: String, removedAt version: Version) -> Bool {
            version <= base && !unseenRemovals.contains(object)
        }

        mutating func add(_ objects: [String]) {
            dead.subtract(objects)
            alive.formUnion(objects)
        }

        mutating func replace(with objects: Set<String>) {
            dead = []
            alive = objects
        }
    }

    /// As `merge(local:since:)`, for one edit after the other, in their order.
    package mutating func merge(
        _ edit: SceneEdit, at version: Version, from otherSide: inout OtherSide
    ) -> [SceneEdit] {
        switch edit {
        case .objectUpdate(let uuid, let data, let changeType):
            return mergeUpdate(of: uuid, data, changeType, at: version, &otherSide)
        case .objectRemoval(let uuid):
            noteRemoval(of: uuid, &otherSide)
            return mergeRemoval(of: uuid, at: version)
        case .replace(let editorData):
            otherSide.replace(with: Self.objects(of: editorData))
            return mergeUpload(editorData, at: version)
        default: return mergeMember(edit, at: version)
        }
    }

    /// An edit of the other side that this side has already: only what it says of which objects
    /// there are on the other side counts, for the edits that follow it there.
    package func note(_ edit: SceneEdit, of otherSide: inout OtherSide) {
        switch edit {
        case .objectUpdate(let uuid, let data, let changeType):
            guard ChangeType.adds(changeType), let update = try? ObjectUpdate.parse(data) else {
                return
            }
            otherSide.add([uuid] + update.objects.compactMap(\.uuid))
        case .objectRemoval(let uuid): noteRemoval(of: uuid, &otherSide)
        case .replace(let editorData): otherSide.replace(with: Self.objects(of: editorData))
        default: break
        }
    }

    private mutating func mergeMember(_ edit: SceneEdit, at version: Version) -> [SceneEdit] {
        switch edit {
        case .objectUpdate, .objectRemoval, .replace: []
        case .background:
            version > background.version ? applied(edit, at: version) : []
        case .fog: version > fog.version ? applied(edit, at: version) : []
        case .scriptAdded(let uuid, let script), .scriptChanged(let uuid, let script):
            mergeScript(script, of: uuid, at: version)
        case .scriptRemoved(let uuid, let script):
            mergeScriptRemoval(script, of: uuid, at: version)
        case .material(let uuid, _):
            version > max(assets[.materials][uuid]?.version ?? 0, replacedAt)
                ? applied(edit, at: version) : []
        }
    }

    private mutating func applied(_ edit: SceneEdit, at version: Version) -> [SceneEdit] {
        apply(edit, at: version)
        return [edit]
    }

    // MARK: Objects

    private mutating func mergeUpdate(
        of uuid: String, _ data: JSONText, _ changeType: String, at version: Version,
        _ otherSide: inout OtherSide
    ) -> [SceneEdit] {
        guard var update = try? ObjectUpdate.parse(data) else { return [] }
        var changeType = changeType
        var isRoot = false
        if ChangeType.adds(changeType) {
            otherSide.add([uuid] + update.objects.compactMap(\.uuid))
        } else if otherSide.dead.contains(uuid) {
            return []
        }
        switch target(of: uuid, update) {
        case .known(let slot):
            isRoot = slot == tree.root
            guard version > tree[slot].version else { return [] }
        case .camera: guard version > camera.version else { return [] }
        case .root:
            isRoot = true
            guard tree.isEmpty || version > tree[tree.root].version else { return [] }
        case .removed(let removed):
            // A full upload without the object was a removal of it too.
            guard version > max(removed, replacedAt) else { return [] }
            if !ChangeType.adds(changeType) {
                guard
                    !otherSide.knew(uuid, removedAt: removed) || otherSide.alive.contains(uuid)
                else { return [] }
                changeType = ChangeType.forceSync
            }
        case .unknown: guard version > replacedAt else { return [] }
        }
        var isChanged = dropOlderAssets(of: &update, than: version)
        let left = applyUpdate(update, of: uuid, adds: ChangeType.adds(changeType), at: version)
        self.version = max(self.version, version)
        if isRoot, version < max(background.version, fog.version) {
            update.objects[0].properties = rootProperties
            isChanged = true
        }
        let data = isChanged || !left.isEmpty ? update.data(leavingOut: left) : data
        return [.objectUpdate(uuid: uuid, data: data, changeType: changeType)]
    }

    /// The root's properties with background and fog.
    var rootProperties: [UInt8] {
        let own = tree[tree.root].properties.dropLast()
        let members = own.count > 1 ? rootMembers[...] : rootMembers.dropFirst()
        return own + members + [UInt8(ascii: "}")]
    }

    /// Takes out of the update the assets that this side has set since; true if there were any.
    private func dropOlderAssets(of update: inout ObjectUpdate, than version: Version) -> Bool {
        var dropped = false
        for index in update.libraries.indices {
            let library = assets[update.libraries[index].kind]
            let elements = update.libraries[index].array.elements
            let kept = elements.filter { element in
                guard let uuid = element["uuid"]?.string, let asset = library[uuid] else {
                    return true
                }
                return version > asset.version
            }
            guard kept.count < elements.count else { continue }
            dropped = true
            update.libraries[index].array = JSONValue.array(kept.map { .raw($0) }).json
        }
        return dropped
    }

    /// The other side removed the object with what is below it, here at least.
    private static func objects(of editorData: JSONText) -> Set<String> {
        guard let upload = try? EditorUpload.parse(editorData) else { return [] }
        let tree = SceneDocument(upload, at: 0).tree
        return Set(tree.subtree(of: tree.root).compactMap { tree[$0].uuid })
    }

    private func noteRemoval(of uuid: String, _ otherSide: inout OtherSide) {
        otherSide.alive.remove(uuid)
        guard let slot = tree.slot(of: uuid) else {
            otherSide.dead.insert(uuid)
            return
        }
        guard slot != tree.root else { return }
        let removed = tree.subtree(of: slot).compactMap { tree[$0].uuid }
        otherSide.dead.formUnion(removed)
        otherSide.alive.subtract(removed)
    }

    private mutating func mergeRemoval(of uuid: String, at version: Version) -> [SceneEdit] {
        guard uuid != cameraUUID else { return [] }
        guard let slot = tree.slot(of: uuid) else {
            if let removed = tombstones.version(of: uuid), removed >= version { return [] }
            guard version > replacedAt else { return [] }
            return applied(.objectRemoval(uuid: uuid), at: version)
        }
        guard slot != tree.root, version > tree[slot].version else { return [] }
        let rescued = rescue(below: slot, newerThan: version)
        removeSubtree(slot, at: version)
        self.version = max(self.version, version)
        return [.objectRemoval(uuid: uuid)]
            + rescued.compactMap { slot in
                tree[slot].uuid.map {
                    .objectUpdate(
                        uuid: $0, data: objectData(of: slot), changeType: ChangeType.forceSync)
                }
            }
    }

    /// Moves what was set later than the removal of `top` out of its subtree: below the nearest
    /// ancestor that was too, else below the root. Gives those that came below the root. What is
    /// older is removed from below them.
    private mutating func rescue(
        below top: ObjectTree.Slot, newerThan version: Version
    ) -> [ObjectTree.Slot] {
        var home: [ObjectTree.Slot: ObjectTree.Slot] = [top: tree.root]
        var rescued: [ObjectTree.Slot] = []
        var dead: [ObjectTree.Slot] = []
        for slot in tree.subtree(of: top).dropFirst() {
            let node = tree[slot]
            let parentHome = home[node.parent] ?? tree.root
            let parentLives = parentHome == node.parent
            let lives = node.uuid == nil ? parentLives : node.version > version
            home[slot] = lives ? slot : parentHome
            if lives, !parentLives {
                tree.move(slot, under: parentHome)
                if parentHome == tree.root { rescued.append(slot) }
            } else if !lives, parentLives {
                dead.append(slot)
            }
        }
        for slot in dead { removeSubtree(slot, at: version) }
        return rescued
    }

    // MARK: Scripts

    private mutating func mergeScript(
        _ script: JSONText, of object: String, at version: Version
    ) -> [SceneEdit] {
        let name = script["name"]?.string ?? ""
        if let removed = tombstones.version(of: object, script: name), removed >= version {
            return []
        }
        if let same = scripts[object].first(where: { $0.name == name }) {
            guard version > same.version else { return [] }
            return applied(.scriptChanged(objectUUID: object, script: script), at: version)
        }
        guard version > replacedAt else { return [] }
        return applied(.scriptAdded(objectUUID: object, script: script), at: version)
    }

    private mutating func mergeScriptRemoval(
        _ script: JSONText, of object: String, at version: Version
    ) -> [SceneEdit] {
        let name = script["name"]?.string ?? ""
        // An object may have several scripts of one name; one removal is of one of them.
        if let removed = tombstones.version(of: object, script: name), removed >= version {
            return []
        }
        guard let same = scripts[object].first(where: { $0.name == name }),
            version > same.version
        else { return [] }
        return applied(.scriptRemoved(objectUUID: object, script: script), at: version)
    }

    // MARK: Full uploads

    private mutating func mergeUpload(
        _ editorData: JSONText, at version: Version
    ) -> [SceneEdit] {
        guard version > replacedAt, let upload = try? EditorUpload.parse(editorData) else {
            return []
        }
        var next = SceneDocument(upload, at: version)
        next.tombstones = tombstones
        let laterRemovals = tombstones.all.filter { $0.version > version }
        next.buryObjects(missingFrom: self, at: version)
        var isChanged = next.takeObjects(of: self, newerThan: version)
        for removal in laterRemovals {
            if let name = removal.key.script {
                isChanged = next.scripts.remove(name, of: removal.key.object) || isChanged
            } else if next.tree.slot(of: removal.key.object) != nil {
                let won = next.mergeRemoval(of: removal.key.object, at: removal.version)
                isChanged = isChanged || !won.isEmpty
            }
            next.bury(removal.key.object, script: removal.key.script, at: removal.version)
        }
        isChanged = next.takeMembers(of: self, newerThan: version) || isChanged
        next.takeAssets(of: self, all: isChanged)
        isChanged = next.takeScripts(of: self, newerThan: version) || isChanged
        next.version = max(self.version, version)
        self = next
        guard isChanged, let merged = self.editorData() else {
            return [.replace(editorData: editorData)]
        }
        return [.replace(editorData: merged)]
    }

    /// Puts the later objects of another scene on top of this one, each where it was if its parent
    /// is here too. True if there were any.
    private mutating func takeObjects(
        of other: SceneDocument, newerThan version: Version
    ) -> Bool {
        var found = false
        for slot in other.tree.subtree(of: other.tree.root) {
            let node = other.tree[slot]
            guard node.version > version, let uuid = node.uuid else { continue }
            found = true
            if slot == other.tree.root {
                tree.update(tree.root, properties: node.properties, version: node.version)
            } else if let here = tree.slot(of: uuid) {
                tree.update(here, properties: node.properties, version: node.version)
            } else {
                let parent = other.tree[node.parent].uuid.flatMap { tree.slot(of: $0) }
                let fits = parent.map { tree.depth(of: $0) < SceneLimits.treeDepth } ?? false
                tree.insert(
                    uuid: uuid, properties: node.properties, version: node.version,
                    under: fits ? parent ?? tree.root : tree.root)
                tombstones.remove(uuid)
            }
        }
        return found
    }

    private mutating func takeMembers(
        of other: SceneDocument, newerThan version: Version
    ) -> Bool {
        var found = false
        if other.background.version > version {
            background = other.background
            found = true
        }
        if other.fog.version > version {
            fog = other.fog
            found = true
        }
        if other.camera.version > version, let camera = other.camera.value {
            setCamera(camera, at: other.camera.version)
            found = true
        }
        found = hasLaterAssets(of: other, than: version) || found
        return found
    }

    private func hasLaterAssets(of other: SceneDocument, than version: Version) -> Bool {
        AssetLibrary.Kind.allCases.contains { kind in
            other.assets[kind].assets.contains { $0.uuid != nil && $0.version > version }
        }
    }

    /// Takes the assets that another scene has later than this upload, and with `all` also those
    /// that only it has: objects taken over may use them.
    private mutating func takeAssets(of other: SceneDocument, all: Bool) {
        for kind in AssetLibrary.Kind.allCases {
            for asset in other.assets[kind].assets {
                guard let uuid = asset.uuid else { continue }
                let isLater = asset.version > replacedAt
                if isLater || (all && assets[kind][uuid] == nil) { assets[kind].set(asset) }
            }
        }
    }

    private mutating func takeScripts(
        of other: SceneDocument, newerThan version: Version
    ) -> Bool {
        var found = false
        for object in other.scripts.objects where tree.slot(of: object) != nil {
            for script in other.scripts[object] where script.version > version {
                found = true
                if scripts[object].contains(where: { $0.name == script.name }) {
                    scripts.change(script, of: object)
                } else {
                    scripts.append(script, to: object)
                }
            }
        }
        return found
    }
}
