import JSON

/// The scene of one room, folded from its edits.
///
/// A value: the same edits at the same versions give the same scene on every instance. An edit
/// costs what it changes, not what the scene holds; JSON of the whole is built only when asked for.
///
/// Rules beyond those of the contract (CONTRACT §7):
/// - An object is addressed by its uuid. Of equal uuids in a full upload the first in document
///   order is meant, as in three.js; later ones, and objects without uuid, stay in their places
///   unseen.
/// - An update replaces the properties of a known object and never moves it. Its children are
///   taken only if the change type adds (`object-added`, `imported-object`, `force-sync`), and of
///   these only the unknown ones.
/// - An unknown object goes below the root, whatever the change type, unless it was removed before
///   and the change type does not add.
/// - An update of the editor's camera changes the camera. An update of an unknown object of type
///   `Scene` means the root: members that have not yet received a snapshot know it by other uuids.
/// - A full upload counts as removal of what it no longer has, and ends scripts of all else.
/// - A room that never had a full scene gets a root as soon as an edit needs one.
package struct SceneDocument: Sendable {
    struct Stamped<Value: Sendable>: Sendable {
        var value: Value
        var version: Version
    }

    var tree = ObjectTree()
    /// The root's `background` and `fog` members, which have edits of their own.
    var background = Stamped<[UInt8]?>(value: nil, version: 0)
    var fog = Stamped<[UInt8]?>(value: nil, version: 0)
    var camera = Stamped<JSONText?>(value: nil, version: 0)
    var cameraUUID: String?
    var metadata: JSONText?
    var project: JSONText?
    var environment: JSONText?
    var sceneMetadata: JSONText?
    /// Other members of the scene JSON: names with quotes, and values.
    var sceneMembers: [(key: [UInt8], value: [UInt8])] = []
    var assets = SceneAssets()
    var scripts = SceneScripts()
    var tombstones = Tombstones()
    /// Of the last full upload.
    package internal(set) var replacedAt: Version = 0
    /// Of the last edit.
    package internal(set) var version: Version = 0
    /// Whether the root was made for an edit rather than uploaded.
    var isSkeleton = false

    /// A room without a scene.
    package init() {}

    /// Whether a newcomer is told that the room is empty (R26). Scripts, materials and removals
    /// that came before any object are kept, yet make no scene.
    package var isEmpty: Bool { tree.isEmpty }

    /// Addressable or not, the root included.
    package var objectCount: Int { tree.count }

    /// Bytes that the scene holds, within some per cent of the length of `editorData()`.
    package var approximateByteCount: Int {
        tree.byteCount + assets.byteCount + scripts.byteCount + tombstones.byteCount
            + (camera.value?.bytes.count ?? 0) + (project?.bytes.count ?? 0)
            + sceneMembers.reduce(0) { $0 + $1.key.count + $1.value.count }
    }

    /// The version of the last entry that set the object or removed it; nil if it is unknown.
    package func lastModified(of uuid: String) -> Version? {
        if let slot = tree.slot(of: uuid) { return tree[slot].version }
        if uuid == cameraUUID { return camera.version }
        return tombstones.version(of: uuid)
    }

    package func contains(_ uuid: String) -> Bool { tree.slot(of: uuid) != nil }

    /// Nodes read or changed by all edits so far: what they cost, independent of time.
    package var visits: Int { tree.visits }

    /// Checks that a full upload can be stored (R28), without storing it.
    package static func validate(_ editorData: JSONText) throws(SceneError) {
        _ = try EditorUpload.parse(editorData)
    }

    /// Checks shapes and limits of an edit against this scene, before the edit is committed.
    package func check(_ edit: SceneEdit) throws(SceneError) {
        try edit.validate()
        switch edit {
        case .replace, .objectRemoval, .scriptRemoved, .background, .fog: return
        case .objectUpdate, .scriptAdded, .scriptChanged, .material: break
        }
        guard approximateByteCount + edit.byteCount <= SceneLimits.sceneBytes else {
            throw .tooLarge("scene", limit: SceneLimits.sceneBytes)
        }
        if case .objectUpdate(let uuid, let data, _) = edit, tree.slot(of: uuid) == nil {
            let added = try ObjectUpdate.parse(data).objects.count
            guard objectCount + added <= SceneLimits.objects else {
                throw .tooManyObjects(limit: SceneLimits.objects)
            }
        }
    }
}
