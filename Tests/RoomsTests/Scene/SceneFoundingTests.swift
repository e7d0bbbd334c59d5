import Foundation
import JSON
import Testing

@testable import Rooms

@Suite("Edits in a room that never had a full scene")
struct SceneFoundingTests {
    @Test("the first object makes a scene that a client can load")
    func firstObject() throws {
        var document = SceneDocument()
        document.apply(Fixture.update("a", as: "object-added"), at: 5)
        #expect(!document.isEmpty)
        let root = try #require(document.rootJSON["uuid"] as? String)
        #expect(UUID(uuidString: root) != nil)
        #expect(document.rootJSON["type"] as? String == "Scene")
        #expect(document.children(of: root) == ["a"])
        let camera = document.snapshot["camera"] as? [String: Any]
        let object = try #require(camera?["object"] as? [String: Any])
        #expect(object["type"] as? String == "PerspectiveCamera")
        #expect(UUID(uuidString: try #require(object["uuid"] as? String)) != nil)
        #expect((object["matrix"] as? [Double])?.count == 16)
        try SceneDocument.validate(try #require(document.editorData()))
    }

    @Test("every instance makes the same scene")
    func deterministic() {
        var left = SceneDocument()
        var right = SceneDocument()
        for version in [3, 4] as [UInt64] {
            left.apply(Fixture.update("o\(version)"), at: version)
            right.apply(Fixture.update("o\(version)"), at: version)
        }
        #expect(left.editorData() == right.editorData())
        #expect(left.checkpoint() == right.checkpoint())
    }

    @Test("background and fog make a scene, null ones do not")
    func members() throws {
        var document = SceneDocument()
        document.apply(.background(.null), at: 1)
        document.apply(.fog(.null), at: 2)
        #expect(document.isEmpty)
        document.apply(.background(Fixture.json(#"{"type":"Color","r":1,"g":1,"b":1}"#)), at: 3)
        #expect(document.rootJSON["background"] as? Int == 0xFFFFFF)
    }

    @Test("scripts, materials and removals leave the room empty and count once there is an object")
    func held() throws {
        var document = SceneDocument()
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("s")), at: 1)
        document.apply(.material(uuid: "m", data: Fixture.json(#"{"color":1}"#)), at: 2)
        document.apply(.objectRemoval(uuid: "x"), at: 3)
        #expect(document.isEmpty)
        #expect(document.editorData() == nil)
        document.apply(Fixture.update("x"), at: 4)
        #expect(document.isEmpty)
        document.apply(Fixture.update("a", #""material":"m""#), at: 5)
        #expect(document.scriptNames(of: "a") == ["s"])
        #expect(document.library("materials").count == 1)
    }

    @Test("an update of a scene object founds the scene with its children")
    func founded() throws {
        var document = SceneDocument()
        let members = #""type":"Scene","background":255,"children":[{"uuid":"a"}]"#
        document.apply(Fixture.update("s", members), at: 1)
        #expect(document.children(of: "s") == ["a"])
        #expect(document.rootJSON["uuid"] as? String == "s")
        #expect(document.rootJSON["background"] as? Int == 255)
    }

    @Test("a root made for an edit takes the uuid of the members' scene when it is updated")
    func renamed() throws {
        var document = SceneDocument()
        document.apply(Fixture.update("a", as: "object-added"), at: 1)
        document.apply(Fixture.update("s", #""type":"Scene","name":"N""#), at: 2)
        #expect(document.rootJSON["uuid"] as? String == "s")
        #expect(document.children(of: "s") == ["a"])
        #expect(document.objectCount == 2)
    }

    @Test("a full upload takes the place of a founded scene")
    func uploaded() throws {
        var document = SceneDocument()
        document.apply(Fixture.update("a", as: "object-added"), at: 1)
        try document.replace(with: Fixture.editor(#"{"uuid":"b"}"#), at: 2)
        #expect(document.children(of: "root") == ["b"])
        document.apply(Fixture.update("s", #""type":"Scene""#), at: 3)
        #expect(document.rootJSON["uuid"] as? String == "root")
    }
}
