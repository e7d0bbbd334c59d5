/// Limits of one stored scene. Beyond a limit an edit is refused before its commit.
///
/// The two depths keep the JSON of any scene within the 512 levels that the server accepts
/// (`JSONLimits.maxDepth`), so that a member can upload again what he was sent: an object takes
/// two levels, its deepest value adds its own, the envelope a few.
package enum SceneLimits {
    /// Bytes of one full upload. The browser client sends up to 15 MB.
    package static let uploadBytes = 16 << 20
    /// Bytes of one object update, material or script. The browser client stays below 3 MB.
    package static let editBytes = 4 << 20
    /// Bytes of a background or fog.
    package static let memberBytes = 4_096
    /// Bytes of the whole stored scene, uploads and edits together.
    package static let sceneBytes = 48 << 20
    /// Objects of one scene.
    package static let objects = 100_000
    /// Objects below one another, the scene root being level 1.
    package static let treeDepth = 160
    /// Arrays and objects below one another inside the properties of one object or asset.
    package static let valueDepth = 128
    /// UTF-8 bytes of a uuid (three.js: 36). In a scene, an object with a longer or empty one is
    /// kept, but cannot be addressed.
    package static let uuidBytes = 128
    /// UTF-8 bytes of a change type or a script's name.
    package static let nameBytes = 1_024
    /// Removed objects and scripts that are remembered; the oldest is forgotten first, after
    /// which a late update brings it back.
    package static let tombstones = 10_000
    /// Bytes of assets below which unused ones are not looked for.
    package static let sweepFloorBytes = 1 << 20
}
