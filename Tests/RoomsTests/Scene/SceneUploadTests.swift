import Foundation
import JSON
import Testing

@testable import Rooms

@Suite("Full uploads and snapshots")
struct SceneUploadTests {
    @Test("a room without scene is empty and has no snapshot (R26)")
    func empty() {
        let document = SceneDocument()
        #expect(document.isEmpty)
        #expect(document.editorData() == nil)
        #expect(document.objectCount == 0)
        #expect(document.contentHash == 0)
    }

    @Test("the snapshot carries the kept parts, an empty history and a slim object (R28, R29, R30)")
    func snapshot() throws {
        var document = SceneDocument()
        let child = #"{"uuid":"a","type":"Group","children":[{"uuid":"b"},{"type":"Mesh"}]}"#
        try document.replace(
            with: Fixture.editor(
                child, root: #","name":"S""#,
                scripts: #"{"b":[{"name":"s","source":""}],"gone":[{"name":"x"}],"root":[]}"#),
            at: 7)
        let snapshot = document.snapshot
        let kept = [
            "metadata", "project", "camera", "scene", "scripts", "history", "environment", "object",
        ]
        #expect(Set(snapshot.keys) == Set(kept))
        #expect(equal(snapshot["history"] ?? 0, ["undos": [], "redos": []] as [String: Any]))
        let outline: [String: Any] = [
            "uuid": "root",
            "children": [
                [
                    "uuid": "a",
                    "children": [["uuid": "b", "children": []], ["children": []]] as [Any],
                ] as [String: Any]
            ],
        ]
        #expect(equal(snapshot["object"] ?? 0, outline))
        #expect((snapshot["scripts"] as? [String: Any])?.keys.sorted() == ["b"])
        #expect(document.rootJSON["name"] as? String == "S")
        #expect(document.lastModified(of: "b") == 7)
        #expect(document.version == 7)
    }

    @Test("what a snapshot carries is a full upload that gives the same snapshot")
    func roundTrip() throws {
        let document = try Fixture.document(
            #"{"uuid":"a","matrix":[1.5,2e-7],"userData":{"k":"\u0041\"é"}},{"uuid":"a"},{"x":1}"#,
            libraries: #""geometries":[{"uuid":"g"},{"uuid":"g","v":2}],"extra":[1],"#)
        let text = try #require(document.editorData())
        var again = SceneDocument()
        try again.replace(with: text, at: 1)
        #expect(again.editorData()?.text == text.text)
    }

    @Test("of equal uuids the first in the document is addressed, and all stay")
    func duplicates() throws {
        var document = try Fixture.document(
            #"{"uuid":"p","children":[{"uuid":"d","n":1}]},{"uuid":"d","n":2},{"uuid":"root"}"#)
        document.apply(Fixture.update("d", #""n":3"#), at: 2)
        #expect(document.objectCount == 5)
        #expect(document.children(of: "p") == ["d"])
        #expect(document.children(of: "root") == ["p", "d", "root"])
        #expect(document.object("d")?["n"] as? Int == 3)
        document.apply(.objectRemoval(uuid: "d"), at: 3)
        #expect(document.children(of: "root") == ["p", "d", "root"])
        #expect(document.children(of: "p") == [])
        #expect(document.object("d")?["n"] as? Int == 2)
    }

    @Test("objects without usable uuid stay in place, and what is below them can be addressed")
    func withoutUUID() throws {
        let long = String(repeating: "u", count: SceneLimits.uuidBytes + 1)
        var document = try Fixture.document(
            #"{"type":"A","children":[{"uuid":"x"}]},{"uuid":5},{"uuid":""},{"uuid":"\#(long)"},{}"#
        )
        #expect(document.children(of: "root") == ["-", "-", "", long, "-"])
        document.apply(.objectRemoval(uuid: "x"), at: 2)
        #expect(document.objectCount == 6)
    }

    @Test("the last of equal members wins, children too")
    func equalMembers() throws {
        let document = try Fixture.document(
            #"{"uuid":"q","children":[{"uuid":"c1"}],"uuid":"p","chil\u0064ren":[{"uuid":"c2"}]}"#)
        #expect(document.children(of: "root") == ["p"])
        #expect(document.children(of: "p") == ["c2"])
        #expect(document.contains("c1") == false)
    }

    @Test("a root without uuid gets one, the same everywhere")
    func rootWithoutUUID() throws {
        let data = Fixture.json(
            #"{"camera":{"object":{}},"scene":{"object":{"children":[{"uuid":"a"}]}}}"#
        )
        var left = SceneDocument()
        var right = SceneDocument()
        try left.replace(with: data, at: 9)
        try right.replace(with: data, at: 9)
        let uuid = try #require(left.rootJSON["uuid"] as? String)
        #expect(UUID(uuidString: uuid) != nil)
        #expect(left.checkpoint() == right.checkpoint())
        #expect(left.children(of: uuid) == ["a"])
    }

    @Test("a full upload removes what it does not have, and late updates of that are ignored")
    func buried() throws {
        var document = try Fixture.document(#"{"uuid":"a"},{"uuid":"b"}"#)
        document.apply(.objectRemoval(uuid: "b"), at: 2)
        try document.replace(with: Fixture.editor(#"{"uuid":"b"}"#), at: 3)
        document.apply(Fixture.update("a"), at: 4)
        document.apply(Fixture.update("b", #""n":1"#), at: 5)
        #expect(document.children(of: "root") == ["b"])
        #expect(document.object("b")?["n"] as? Int == 1)
    }

    @Test(
        "an upload that would break a client is refused and changes nothing",
        arguments: [
            (#"null"#, "editorData"), (#"[]"#, "editorData"), (#"{}"#, "scene"),
            (#"{"scene":{"object":{}}}"#, "camera"),
            (#"{"scene":{"object":{}},"camera":null}"#, "camera"),
            (#"{"scene":{"object":{}},"camera":{}}"#, "camera"),
            (#"{"scene":{"object":{}},"camera":{"object":1}}"#, "camera"),
            (#"{"scene":7,"camera":{"object":{}}}"#, "scene"),
            (#"{"scene":{},"camera":{"object":{}}}"#, "scene.object"),
            (#"{"scene":{"object":[]},"camera":{"object":{}}}"#, "scene.object"),
            (#"{"scene":{"object":{}},"camera":{"object":{}},"scripts":[]}"#, "scripts"),
            (#"{"scene":{"object":{}},"camera":{"object":{}},"scripts":"s"}"#, "scripts"),
        ])
    func refused(data: String, part: String) throws {
        var document = try Fixture.document(#"{"uuid":"a"}"#)
        let before = document.checkpoint()
        let error = sceneError { try document.replace(with: Fixture.json(data), at: 2) }
        #expect(error == .malformed(part))
        #expect(sceneError { try SceneDocument.validate(Fixture.json(data)) } == error)
        #expect(document.checkpoint() == before)
    }

    @Test(
        "whatever stands in history, or null scripts, becomes what the client can read",
        arguments: ["null", "{}", "[]", "7", #"{"undos":null}"#])
    func history(value: String) throws {
        var document = SceneDocument()
        let data =
            #"{"scene":{"object":{}},"camera":{"object":{}},"scripts":null,"history":\#(value)}"#
        try document.replace(with: Fixture.json(data), at: 1)
        #expect(equal(document.snapshot["scripts"] ?? 0, [String: Any]()))
        let history = document.snapshot["history"] as? [String: Any]
        #expect((history?["undos"] as? [Any])?.isEmpty == true)
    }

    @Test("elements that three.js throws on are left out")
    func throwing() throws {
        let document = try Fixture.document(
            #"null,1,"x",[{}],{"uuid":"a","children":{"0":{}}}"#,
            libraries: #""geometries":[null,3,{"uuid":"g"}],"materials":7,"#)
        #expect(document.children(of: "root") == ["a"])
        #expect(document.library("geometries").count == 1)
        #expect(document.sceneJSON["materials"] as? Int == 7)
    }

    @Test("the same upload is recognised, with the copies that create-room leaves out (R18)")
    func sameUpload() throws {
        let children = #"{"uuid":"a","geometry":"g"}"#
        let libraries = #""geometries":[{"uuid":"g"}],"#
        let full = Fixture.editor(children, libraries: libraries)
        let first = Fixture.editor(children, libraries: libraries, copies: "")
        #expect(first != full)
        var document = SceneDocument()
        try document.replace(with: first, at: 1)
        #expect(document.isSameUpload(full))
        #expect(try SceneDocument.contentHash(ofUpload: full) == document.contentHash)
        document.apply(Fixture.update("a", #""geometry":"g2""#), at: 2)
        #expect(!document.isSameUpload(full))
        document.apply(Fixture.update("a", #""geometry":"g""#), at: 3)
        #expect(document.isSameUpload(full))
        #expect(!document.isSameUpload(.null))
        #expect(!SceneDocument().isSameUpload(full))
    }

    @Test("an upload is the same without the assets that nothing uses any more, in any order")
    func unusedAssets() throws {
        var document = try Fixture.document(
            #"{"uuid":"a","geometry":"g1"},{"uuid":"b","geometry":"g2"}"#,
            libraries: #""geometries":[{"uuid":"g2"},{"uuid":"old"},{"uuid":"g1"}],"#)
        let upload = Fixture.editor(
            #"{"uuid":"a","geometry":"g1"},{"uuid":"b","geometry":"g2"}"#,
            libraries: #""geometries":[{"uuid":"g1"},{"uuid":"g2"}],"#)
        #expect(document.isSameUpload(upload))
        let changed = #""geometries":[{"uuid":"g2","v":1}],"#
        document.apply(Fixture.update("b", #""geometry":"g2""#, libraries: changed), at: 2)
        #expect(!document.isSameUpload(upload))
    }

    @Test("another object, order, script or background is another upload")
    func otherUpload() throws {
        let base = #"{"uuid":"a"},{"uuid":"b"}"#
        var document = SceneDocument()
        try document.replace(with: Fixture.editor(base), at: 1)
        let others = [
            Fixture.editor(#"{"uuid":"b"},{"uuid":"a"}"#),
            Fixture.editor(#"{"uuid":"a","children":[{"uuid":"b"}]}"#),
            Fixture.editor(base + #",{"uuid":"c"}"#),
            Fixture.editor(base, root: #","background":1"#),
            Fixture.editor(base, scripts: #"{"a":[{"name":"s","source":""}]}"#),
        ]
        for other in others { #expect(!document.isSameUpload(other)) }
        #expect(document.isSameUpload(Fixture.editor(base)))
    }
}
