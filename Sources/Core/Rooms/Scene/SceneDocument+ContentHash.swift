import JSON

extension SceneDocument {
    /// A hash of what the scene shows: objects, used assets, scripts of objects that are there,
    /// project and environment. Zero for an empty room.
    ///
    /// Not of the camera (each member looks from where he likes), the undo history and the copies
    /// that `editorData` carries beside the scene: the scene of `create-room` and the upload that
    /// follows it are the same. Equal by spelling, not by meaning. Cost: some passes over the
    /// scene.
    package var contentHash: UInt64 {
        guard !tree.isEmpty else { return 0 }
        var used = self
        used.sweepAssets()
        var hasher = ContentHasher()
        for text in [project, environment] { hasher.combine((text ?? .null).bytes) }
        hasher.combine(background.value ?? [])
        hasher.combine(fog.value ?? [])
        tree.walk(
            from: tree.root,
            enter: { _, node in
                hasher.combine((node.uuid ?? "").utf8)
                hasher.combine(node.properties)
            },
            leave: { _ in hasher.combine(1) })
        for kind in AssetLibrary.Kind.allCases { hasher.combine(used.assets[kind].contentHash) }
        for object in scripts.objects where tree.slot(of: object) != nil {
            hasher.combine(object.utf8)
            for script in scripts[object] { hasher.combine(script.text) }
        }
        return hasher.finish()
    }

    /// The hash that the scene will have after this upload (R18).
    package static func contentHash(ofUpload editorData: JSONText) throws(SceneError) -> UInt64 {
        SceneDocument(try EditorUpload.parse(editorData), at: 0).contentHash
    }

    /// Whether storing the upload would change nothing that anyone sees (R18). False for an upload
    /// that could not be stored.
    package func isSameUpload(_ editorData: JSONText) -> Bool {
        guard !isEmpty, let hash = try? Self.contentHash(ofUpload: editorData) else { return false }
        return hash == contentHash
    }
}

extension AssetLibrary {
    /// The same for the same assets in any order.
    fileprivate var contentHash: UInt64 {
        assets.reduce(0) { sum, asset in
            var hasher = ContentHasher()
            hasher.combine(asset.text)
            return sum &+ hasher.finish()
        }
    }
}
