import JSON

/// The parts of `editorData` that are kept (R30): `metadata`, `project`, `camera`, `scene`,
/// `scripts`, `environment`. The second copy of the scene, the copies of geometries and materials
/// and the undo history of the uploader are not.
struct EditorUpload {
    var metadata: JSONText?
    var project: JSONText?
    var environment: JSONText?
    var camera: JSONText
    var sceneMetadata: JSONText?
    /// Members of the scene JSON that are neither `metadata`, `object` nor a library.
    var sceneMembers: [(key: JSONKey, value: JSONText)] = []
    var libraries: [(kind: AssetLibrary.Kind, array: JSONText)] = []
    var objects: [SceneObject]
    var scripts: JSONText?

    /// What a scene needs so that `Editor.fromJSON` (three.js r180, editor/js/Editor.js) does not
    /// throw on it: it parses `camera` and `scene`, each an object with an `object`, and takes
    /// `scripts` as a table. It also reads `history.undos.length`, which is why whatever the upload
    /// has there is replaced by two empty lists.
    static func parse(_ editorData: JSONText) throws(SceneError) -> EditorUpload {
        guard editorData.kind == .object else { throw .malformed("editorData") }
        guard editorData.bytes.count <= SceneLimits.uploadBytes else {
            throw .tooLarge("editorData", limit: SceneLimits.uploadBytes)
        }
        var members: [String: JSONText] = [:]
        editorData.forEachMember { key, value in
            for name in keptMembers where key == name { members[name] = value }
        }
        guard let scene = members["scene"], scene.kind == .object else { throw .malformed("scene") }
        var upload = EditorUpload(camera: try camera(members["camera"]), objects: [])
        for name in keptMembers where name != "scene" {
            guard let member = members[name] else { continue }
            try TrustedScan.checkDepth(member, name)
        }
        upload.metadata = members["metadata"]
        upload.project = members["project"]
        upload.environment = members["environment"]
        upload.scripts = try scripts(members["scripts"])
        try upload.takeScene(scene)
        return upload
    }

    private static let keptMembers = [
        "metadata", "project", "camera", "scene", "scripts", "environment",
    ]

    private static func camera(_ camera: JSONText?) throws(SceneError) -> JSONText {
        guard let camera, camera["object"]?.kind == .object else { throw .malformed("camera") }
        return camera
    }

    private static func scripts(_ scripts: JSONText?) throws(SceneError) -> JSONText? {
        guard let scripts, !scripts.isNull else { return nil }
        guard scripts.kind == .object else { throw .malformed("scripts") }
        return scripts
    }

    private mutating func takeScene(_ scene: JSONText) throws(SceneError) {
        var root: JSONText?
        scene.forEachMember { key, value in
            if key == "object" {
                root = value
            } else if key == "metadata" {
                sceneMetadata = value
            } else if let kind = AssetLibrary.Kind(key), value.kind == .array {
                libraries.append((kind, value))
            } else {
                sceneMembers.append((key, value))
            }
        }
        guard let root else { throw .malformed("scene.object") }
        for library in libraries { try TrustedScan.checkDepth(library.array, "scene") }
        for member in sceneMembers { try TrustedScan.checkDepth(member.value, "scene") }
        objects = try SceneObjectParser.parse(root, named: "scene.object")
    }
}
