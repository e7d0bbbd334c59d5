import JSON
import Testing

@testable import Rooms

@Suite("Hostile scenes and edits")
struct SceneHostileTests {
    private static let values = [
        "null", "true", "0", "-1e400", "1e308", #""""#, #""\ud800""#, "[]", "[[[]]]", "{}",
        #"{"uuid":null}"#, #"{"object":null}"#, #"{"object":{"uuid":[],"children":[[{}],{}]}}"#,
        #"{"object":{"children":{"length":1}},"geometries":{"a":1},"materials":[null,[],{}]}"#,
        #"{"type":"Color"}"#, #"{"type":"Color","r":"1","g":1,"b":1}"#, #"{"color":null}"#,
        #"{"type":"Fog","color":{"r":1,"g":1},"near":1,"far":2}"#, #"{"name":1,"source":2}"#,
    ]

    private static func edits(_ value: JSONText) -> [SceneEdit] {
        [
            .objectUpdate(uuid: "a", data: value, changeType: "general"),
            .objectUpdate(uuid: "new", data: value, changeType: "object-added"),
            .objectUpdate(uuid: "", data: value, changeType: ""),
            .background(value), .fog(value), .material(uuid: "m", data: value),
            .scriptAdded(objectUUID: "a", script: value),
            .scriptChanged(objectUUID: "a", script: value),
            .scriptRemoved(objectUUID: "a", script: value), .replace(editorData: value),
        ]
    }

    @Test("wrong types everywhere neither trap nor spoil the scene", arguments: values)
    func wrongTypes(value: String) throws {
        let data = Fixture.json(value)
        for empty in [true, false] {
            var document = empty ? SceneDocument() : try Fixture.document(#"{"uuid":"a"}"#)
            for (offset, edit) in Self.edits(data).enumerated() {
                let isAccepted = sceneError { try document.check(edit) } == nil
                let before = document.editorData()
                document.apply(edit, at: UInt64(offset + 2))
                if case .background = edit, !isAccepted { #expect(document.editorData() == before) }
                if case .fog = edit, !isAccepted { #expect(document.editorData() == before) }
                if case .replace = edit, !isAccepted { #expect(document.editorData() == before) }
                _ = document.merge(local: [(UInt64(offset + 2), edit)])
            }
            if let text = document.editorData() {
                #expect(throws: Never.self) { try JSONText(validating: text.bytes) }
                #expect(throws: Never.self) { try SceneDocument.validate(text) }
            }
            let restored = try SceneDocument(checkpoint: document.checkpoint()[...])
            #expect(restored.editorData() == document.editorData())
        }
    }

    @Test(
        "edits of a wrong shape are refused before the commit",
        arguments: [
            (SceneEdit.objectUpdate(uuid: "", data: .emptyObject, changeType: ""), "objectUuid"),
            (.objectUpdate(uuid: "a", data: .null, changeType: ""), "objectData"),
            (.objectRemoval(uuid: ""), "objectId"),
            (.background(.emptyObject), "backgroundData"), (.fog(.emptyArray), "fogData"),
            (.scriptAdded(objectUUID: "a", script: .null), "script"),
            (.scriptAdded(objectUUID: "a", script: .emptyObject), "script.name"),
            (.scriptRemoved(objectUUID: "", script: .emptyObject), "objectUuid"),
            (.material(uuid: "m", data: .emptyArray), "materialData"),
            (.replace(editorData: .emptyObject), "scene"),
        ])
    func refused(edit: SceneEdit, part: String) {
        #expect(sceneError { try edit.validate() } == .malformed(part))
    }

    @Test("what the contract allows is accepted")
    func accepted() throws {
        let document = try Fixture.document()
        let color = #"{"type":"Color","r":0.5,"g":0,"b":1}"#
        let edits: [SceneEdit] = [
            Fixture.update("a"), .objectRemoval(uuid: "a"), .background(.null), .fog(.null),
            .background(Fixture.json(color)),
            .scriptAdded(objectUUID: "a", script: Fixture.script("s")),
            .scriptRemoved(objectUUID: "a", script: Fixture.json(#"{"name":"s"}"#)),
            .material(uuid: "m", data: .emptyObject), .replace(editorData: Fixture.editor()),
        ]
        for edit in edits { try document.check(edit) }
    }

    @Test("each limit is kept and says its name")
    func limits() throws {
        let long = String(repeating: "x", count: SceneLimits.editBytes)
        let longUUID = String(repeating: "x", count: SceneLimits.uuidBytes + 1)
        let big = JSONValue.members([("type", JSONValue.string(long))]).json
        #expect(
            sceneError { try SceneEdit.material(uuid: "m", data: big).validate() }
                == .tooLarge("materialData", limit: SceneLimits.editBytes))
        #expect(
            sceneError { try SceneEdit.objectRemoval(uuid: longUUID).validate() }
                == .malformed("objectId"))
        #expect(
            sceneError { try SceneEdit.background(big).validate() }
                == .tooLarge("backgroundData", limit: SceneLimits.memberBytes))
        let many = String(repeating: "{},", count: SceneLimits.objects)
        #expect(
            sceneError { try SceneDocument.validate(Fixture.editor(many + "{}")) }
                == .tooManyObjects(limit: SceneLimits.objects))
        let huge = Fixture.editor(
            copies: #","x":"\#(String(repeating: "x", count: SceneLimits.uploadBytes))""#)
        #expect(
            sceneError { try SceneDocument.validate(huge) }
                == .tooLarge("editorData", limit: SceneLimits.uploadBytes))
    }

    @Test("a scene that is full refuses what would make it larger, and not a removal")
    func fullScene() throws {
        var document = try Fixture.document()
        let source = String(repeating: "x", count: SceneLimits.editBytes - 1_000)
        var refusal: SceneError?
        for version in 2...20 as ClosedRange<UInt64> where refusal == nil {
            let edit = SceneEdit.scriptAdded(
                objectUUID: "o\(version)", script: Fixture.script("s", source))
            refusal = sceneError { try document.check(edit) }
            if refusal == nil { document.apply(edit, at: version) }
        }
        #expect(refusal == .tooLarge("scene", limit: SceneLimits.sceneBytes))
        try document.check(.objectRemoval(uuid: "o2"))
    }

    private func nested(_ depth: Int) -> String {
        String(repeating: #"{"uuid":"u","children":["#, count: depth)
            + String(repeating: "]}", count: depth)
    }

    @Test("trees and values nest to the limit and no deeper")
    func depth() throws {
        let limit = SceneLimits.treeDepth
        try SceneDocument.validate(Fixture.editor(nested(limit - 1)))
        #expect(
            sceneError { try SceneDocument.validate(Fixture.editor(nested(limit))) }
                == .tooDeep("scene.object", limit: limit))
        let values = SceneLimits.valueDepth
        func value(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        try Fixture.update("a", #""userData":\#(value(values))"#).validate()
        for edit in [
            Fixture.update("a", #""userData":\#(value(values + 1))"#),
            Fixture.update("a", libraries: #""nodes":\#(value(values + 1)),"#),
            .material(uuid: "m", data: Fixture.json(#"{"x":\#(value(values + 1))}"#)),
            .scriptAdded(
                objectUUID: "a",
                script: Fixture.json(#"{"name":"","source":"","x":\#(value(values + 1))}"#)),
            .replace(editorData: Fixture.editor(root: #","userData":\#(value(values + 1))"#)),
        ] {
            let error = sceneError { try edit.validate() }
            guard case .tooDeep(_, values) = error else {
                Issue.record("\(String(describing: error)) for \(edit)")
                continue
            }
        }
    }

    @Test("500 levels of anything end in an error, at once")
    func veryDeep() throws {
        let arrays = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        var document = try Fixture.document()
        let before = document.checkpoint()
        for edit in [
            Fixture.update("a", #""children":[\#(nested(240))]"#),
            .replace(editorData: Fixture.editor(nested(240))),
            .replace(editorData: Fixture.editor(#"{"uuid":"a","x":\#(arrays)}"#)),
        ] {
            #expect(sceneError { try edit.validate() } != nil)
            document.apply(edit, at: 1)
        }
        #expect(document.checkpoint() == before)
    }

    @Test("the cost of a deep upload is that of its bytes, not bytes times depth")
    func deepAndLarge() throws {
        let filler = String(repeating: "p", count: 8 << 20)
        let depth = SceneLimits.treeDepth - 2
        let text =
            String(repeating: #"{"children":["#, count: depth) + #"{"x":"\#(filler)"}"#
            + String(repeating: "]}", count: depth)
        let data = Fixture.editor(text)
        let clock = ContinuousClock()
        let flat = try clock.measure {
            try SceneDocument.validate(Fixture.editor(#"{"x":"\#(filler)"}"#))
        }
        let deep = try clock.measure { try SceneDocument.validate(data) }
        #expect(deep < flat * 20 + .milliseconds(200))
    }

    @Test("bytes that are no JSON do not lead outside of them")
    func noJSON() {
        let valid = Array(Fixture.editor(#"{"uuid":"a","k":"\"\\"}"#).bytes)
        for length in valid.indices {
            let text = JSONText(unchecked: valid[..<length])
            _ = try? SceneDocument.validate(text)
            _ = try? ObjectUpdate.parse(text)
        }
    }
}
