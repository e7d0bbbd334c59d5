import Foundation
import JSON
import Testing

@testable import Rooms

/// Numbers that a seed decides (SplitMix64).
struct SceneRandom {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return ContentHasher.mixed(state)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

/// Shorthands for scenes and payloads.
enum Fixture {
    static func json(_ text: String) -> JSONText {
        do { return try JSONText(text: text) } catch {
            Issue.record("fixture is no JSON: \(error): \(text.prefix(200))")
            return .null
        }
    }

    /// `editorData` with the given children of the root, which has the uuid `root`.
    static func editor(
        _ children: String = "", libraries: String = "", root: String = "", scripts: String = "{}",
        copies: String = #","object":{"object":{}},"geometries":{"g":{}},"materials":{}"#
    ) -> JSONText {
        json(
            """
            {"metadata":{},"project":{"shadows":true},
             "camera":{"metadata":{"version":4.7},"object":{"uuid":"cam","type":"Camera"}},
             "scene":{"metadata":{"version":4.7,"type":"Object"},\(libraries)
              "object":{"uuid":"root","type":"Scene"\(root),"children":[\(children)]}},
             "scripts":\(scripts),"history":{"undos":[{"type":"X"}],"redos":[]},
             "environment":null\(copies)}
            """)
    }

    static func document(_ children: String = "", libraries: String = "") throws -> SceneDocument {
        var document = SceneDocument()
        try document.replace(with: editor(children, libraries: libraries), at: 1)
        return document
    }

    static func update(
        _ uuid: String, _ members: String = #""type":"Mesh""#, libraries: String = "",
        as changeType: String = "general"
    ) -> SceneEdit {
        .objectUpdate(
            uuid: uuid,
            data: json(#"{"metadata":{},\#(libraries)"object":{"uuid":"\#(uuid)",\#(members)}}"#),
            changeType: changeType)
    }

    static func script(_ name: String, _ source: String = "x") -> JSONText {
        json(#"{"name":"\#(name)","source":"\#(source)"}"#)
    }
}

extension SceneDocument {
    /// The snapshot as Foundation reads it; an empty dictionary for an empty room.
    var snapshot: [String: Any] {
        guard let text = editorData() else { return [:] }
        let object = try? JSONSerialization.jsonObject(with: Data(text.bytes))
        return object as? [String: Any] ?? [:]
    }

    var sceneJSON: [String: Any] { snapshot["scene"] as? [String: Any] ?? [:] }
    var rootJSON: [String: Any] { sceneJSON["object"] as? [String: Any] ?? [:] }

    /// The object of this uuid in the snapshot.
    func object(_ uuid: String) -> [String: Any]? { Self.find(uuid, in: rootJSON) }

    /// uuids of the children of the object, "-" for those without.
    func children(of uuid: String) -> [String]? {
        object(uuid).map { Self.children($0).map { $0["uuid"] as? String ?? "-" } }
    }

    func library(_ kind: String) -> [[String: Any]] { sceneJSON[kind] as? [[String: Any]] ?? [] }

    func scriptNames(of uuid: String) -> [String]? {
        let scripts = snapshot["scripts"] as? [String: [[String: Any]]]
        return scripts?[uuid]?.map { $0["name"] as? String ?? "-" }
    }

    private static func children(_ object: [String: Any]) -> [[String: Any]] {
        object["children"] as? [[String: Any]] ?? []
    }

    private static func find(_ uuid: String, in object: [String: Any]) -> [String: Any]? {
        if object["uuid"] as? String == uuid { return object }
        for child in children(object) {
            if let found = find(uuid, in: child) { return found }
        }
        return nil
    }
}

/// Whether two trees of Foundation values are the same JSON.
func equal(_ left: Any, _ right: Any) -> Bool {
    canonical(left) == canonical(right)
}

/// JSON with sorted names; empty if the value is none.
func canonical(_ value: Any) -> String {
    let data = try? JSONSerialization.data(withJSONObject: [value], options: [.sortedKeys])
    return String(decoding: data ?? Data(), as: UTF8.self)
}

/// The error that the body throws.
func sceneError(_ body: () throws -> Void) -> SceneError? {
    do {
        try body()
        return nil
    } catch { return error as? SceneError }
}
