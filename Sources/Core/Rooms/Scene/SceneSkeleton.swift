import JSON

/// What a room without a full scene lacks to be one.
///
/// Facts (three.js r180): `Object3D.toJSON` writes metadata version 4.7, `layers`, `matrix` and
/// `up` for every object (src/core/Object3D.js); the editor's default camera looks from (0, 5, 10)
/// at the origin, 50 degrees, 0.01 to 1000 (editor/js/Editor.js).
enum SceneSkeleton {
    static let metadata = JSONValue.raw(
        JSONText(
            unchecked: Array(
                #"{"version":4.7,"type":"Object","generator":"Object3D.toJSON"}"#.utf8)[...]))

    static let rootProperties = Array(
        (#"{"type":"Scene","name":"Scene","layers":1,"#
            + #""matrix":[1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1],"up":[0,1,0]}"#).utf8)

    private static let cameraProperties =
        #""type":"PerspectiveCamera","name":"Camera","layers":1,"#
        + #""matrix":[1,0,0,0,0,0.8944271909999159,-0.4472135954999579,0,"#
        + #"0,0.4472135954999579,0.8944271909999159,0,0,5,10,1],"up":[0,1,0],"#
        + #""fov":50,"zoom":1,"near":0.01,"far":1000,"focus":10,"aspect":1,"#
        + #""filmGauge":35,"filmOffset":0"#

    /// Camera JSON with a uuid made from that of the root.
    static func camera(rootUUID: String) -> JSONText {
        var hasher = ContentHasher()
        hasher.combine(Array(rootUUID.utf8))
        let uuid = Self.uuid(from: hasher.finish(), 2)
        let object = Array(#"{"uuid":"\#(uuid)",\#(cameraProperties)}"#.utf8)
        let camera: JSONValue = [
            "metadata": metadata, "object": .raw(JSONText(unchecked: object[...])),
        ]
        return camera.json
    }

    /// The root's uuid: the same on every instance, because it is made from the version of the edit
    /// that needed a root.
    static func rootUUID(at version: UInt64) -> String { uuid(from: version, 1) }

    private static func uuid(from seed: UInt64, _ salt: UInt64) -> String {
        let high = ContentHasher.mixed(seed ^ (salt &* 0x9E37_79B9_7F4A_7C15))
        let low = ContentHasher.mixed(high ^ seed)
        let digits = hex(high) + hex(low)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(index == 12 ? "4" : index == 16 ? "8" : digit)
        }
        return text
    }

    private static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
