extension SceneDocument {
    /// Puts an edit where it was made, in a scene that was folded with it at its place in the log.
    ///
    /// An edit that came over from another side of a partition lies behind all that was in the log
    /// by then. Against what comes over from a third side it counts as of when it was made. For
    /// scenes that are merged into, and not kept. Materials and scripts stay.
    package mutating func restamp(
        _ edit: SceneEdit, from version: Version, to madeAt: Version
    ) {
        switch edit {
        case .objectUpdate(let uuid, _, _):
            if uuid == cameraUUID, camera.version == version { camera.version = madeAt }
            guard let slot = tree.slot(of: uuid) else { return }
            for slot in tree.subtree(of: slot) where tree[slot].version == version {
                tree.update(slot, properties: tree[slot].properties, version: madeAt)
            }
        case .objectRemoval(let uuid):
            guard tombstones.version(of: uuid) == version else { return }
            tombstones.remove(uuid)
            bury(uuid, at: madeAt)
        case .background: if background.version == version { background.version = madeAt }
        case .fog: if fog.version == version { fog.version = madeAt }
        case .replace: restampAll(from: version, to: madeAt)
        case .material, .scriptAdded, .scriptChanged, .scriptRemoved: break
        }
    }

    /// What a full upload has set and removed.
    private mutating func restampAll(from version: Version, to madeAt: Version) {
        guard replacedAt == version else { return }
        replacedAt = madeAt
        if background.version == version { background.version = madeAt }
        if fog.version == version { fog.version = madeAt }
        if camera.version == version { camera.version = madeAt }
        for slot in tree.subtree(of: tree.root) where tree[slot].version == version {
            tree.update(slot, properties: tree[slot].properties, version: madeAt)
        }
        for kind in AssetLibrary.Kind.allCases {
            for asset in assets[kind].assets where asset.version == version && asset.uuid != nil {
                var older = asset
                older.version = madeAt
                assets[kind].set(older)
            }
        }
        for grave in tombstones.all where grave.version == version {
            tombstones.remove(grave.key.object, script: grave.key.script)
            bury(grave.key.object, script: grave.key.script, at: madeAt)
        }
    }
}
