/// Why a scene, an edit or a checkpoint was refused. Nothing was stored.
package enum SceneError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The named member is missing or of another type than the contract says.
    case malformed(String)
    /// The named part is longer than its limit in bytes.
    case tooLarge(String, limit: Int)
    /// More objects than `SceneLimits.objects`.
    case tooManyObjects(limit: Int)
    /// Objects or values nest deeper than `SceneLimits` allows.
    case tooDeep(String, limit: Int)
    /// Checkpoint bytes that this code did not write, or that were damaged.
    case corruptCheckpoint

    package var description: String {
        switch self {
        case .malformed(let part): "\(part) is missing or malformed"
        case .tooLarge(let part, let limit): "\(part) is longer than \(limit) bytes"
        case .tooManyObjects(let limit): "the scene has more than \(limit) objects"
        case .tooDeep(let part, let limit): "\(part) nests deeper than \(limit) levels"
        case .corruptCheckpoint: "the stored scene is damaged"
        }
    }
}
