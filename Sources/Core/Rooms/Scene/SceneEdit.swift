import JSON

/// One change of a room's scene, as it stands in the log. Payloads are kept as they were sent.
package enum SceneEdit: Sendable, Hashable {
    /// `data`: what `Object3D.toJSON()` gives, `{metadata, geometries?, …, object}`, or a bare
    /// object node.
    case objectUpdate(uuid: String, data: JSONText, changeType: String)
    case objectRemoval(uuid: String)
    /// Null, or `{type: "Color", r, g, b}` in linear light.
    case background(JSONText)
    /// Null, or `{type, color: {r, g, b}, near, far}`, or `{type, color: {r, g, b}, density}`.
    case fog(JSONText)
    /// `script`: `{name, source}`.
    case scriptAdded(objectUUID: String, script: JSONText)
    case scriptChanged(objectUUID: String, script: JSONText)
    case scriptRemoved(objectUUID: String, script: JSONText)
    /// `data`: what `Material.toJSON()` gives.
    case material(uuid: String, data: JSONText)
    case replace(editorData: JSONText)

    /// Bytes that the edit may add to a scene.
    package var byteCount: Int {
        switch self {
        case .objectUpdate(let uuid, let data, _), .material(let uuid, let data):
            uuid.utf8.count + data.bytes.count
        case .objectRemoval(let uuid): uuid.utf8.count
        case .background(let data), .fog(let data): data.bytes.count
        case .scriptAdded(let uuid, let script), .scriptChanged(let uuid, let script),
            .scriptRemoved(let uuid, let script):
            uuid.utf8.count + script.bytes.count
        case .replace(let editorData): editorData.bytes.count
        }
    }
}

/// What a change type says about an object that the scene does not have.
enum ChangeType {
    /// Change types that bring an object into the scene, also one that was removed before.
    static func adds(_ changeType: String) -> Bool {
        switch changeType {
        case "object-added", "imported-object", forceSync: true
        default: false
        }
    }

    static let forceSync = "force-sync"
    static let general = "general"
}
