import JSON
import Testing

@testable import Rooms

@Suite("Object edits on the stored scene (CONTRACT §7)")
struct ObjectRuleTests {
    private static let group =
        #"{"uuid":"g","type":"Group","name":"old","children":["#
        + #"{"uuid":"a","type":"Mesh"},{"uuid":"b","type":"Mesh"}]}"#

    @Test("an update of a known object replaces its properties and keeps uuid and children")
    func known() throws {
        var document = try Fixture.document(Self.group)
        document.apply(Fixture.update("g", #""type":"Group","visible":false"#), at: 2)
        let object = try #require(document.object("g"))
        #expect(object["name"] == nil)
        #expect(object["visible"] as? Bool == false)
        #expect(document.children(of: "g") == ["a", "b"])
        #expect(document.lastModified(of: "g") == 2)
        #expect(document.lastModified(of: "a") == 1)
    }

    @Test("the uuid of the event wins over the uuid inside the data")
    func uuidOfEvent() throws {
        var document = try Fixture.document(Self.group)
        let data = Fixture.json(#"{"object":{"uuid":"other","type":"Mesh","name":"n"}}"#)
        document.apply(.objectUpdate(uuid: "a", data: data, changeType: "general"), at: 2)
        #expect(document.object("a")?["name"] as? String == "n")
        #expect(document.object("other") == nil)
    }

    @Test("a bare object node is taken like the object of a toJSON envelope")
    func bareNode() throws {
        var document = try Fixture.document(Self.group)
        let data = Fixture.json(#"{"type":"Mesh","uuid":"a","animations":["clip"]}"#)
        document.apply(.objectUpdate(uuid: "a", data: data, changeType: "general"), at: 2)
        #expect(document.object("a")?["animations"] as? [String] == ["clip"])
        #expect(document.library("animations").isEmpty)
    }

    @Test("a general update of a known object does not take children")
    func noChildren() throws {
        var document = try Fixture.document(Self.group)
        document.apply(Fixture.update("g", #""children":[{"uuid":"c"}]"#), at: 2)
        #expect(document.children(of: "g") == ["a", "b"])
        #expect(document.object("c") == nil)
    }

    @Test(
        "an adding update of a known object takes the unknown of its children",
        arguments: ["object-added", "imported-object", "force-sync"])
    func addingChildren(changeType: String) throws {
        var document = try Fixture.document(Self.group)
        let members = #"""
            "children":[{"uuid":"a","name":"no","children":[{"uuid":"d"}]},{"uuid":"c"},{"t":1}]
            """#
        document.apply(Fixture.update("g", members, as: changeType), at: 2)
        #expect(document.children(of: "g") == ["a", "b", "c"])
        #expect(document.children(of: "a") == ["d"])
        #expect(document.object("a")?["name"] == nil)
        #expect(document.lastModified(of: "a") == 1)
        #expect(document.lastModified(of: "d") == 2)
    }

    @Test("an adding update moves nothing and makes no cycle")
    func noMove() throws {
        var document = try Fixture.document(Self.group)
        let members = #""children":[{"uuid":"g","children":[{"uuid":"root"},{"uuid":"n"}]}]"#
        document.apply(Fixture.update("a", members, as: "object-added"), at: 2)
        #expect(document.children(of: "root") == ["g"])
        #expect(document.children(of: "g") == ["a", "b", "n"])
        #expect(document.objectCount == 5)
    }

    @Test(
        "an unknown object is appended below the root with its children",
        arguments: ["object-added", "imported-object", "force-sync"])
    func unknownAdded(changeType: String) throws {
        var document = try Fixture.document(Self.group)
        let members = #""type":"Group","children":[{"uuid":"y","children":[{"type":"Mesh"}]},null]"#
        document.apply(Fixture.update("x", members, as: changeType), at: 2)
        #expect(document.children(of: "root") == ["g", "x"])
        #expect(document.children(of: "x") == ["y"])
        #expect(document.children(of: "y") == ["-"])
    }

    @Test("an unknown object that was never removed is appended whatever the change type")
    func unknownGeneral() throws {
        var document = try Fixture.document(Self.group)
        document.apply(Fixture.update("x", as: "material-change"), at: 2)
        #expect(document.children(of: "root") == ["g", "x"])
    }

    @Test("libraries of an update are merged by uuid, in place")
    func libraries() throws {
        var document = try Fixture.document(
            #"{"uuid":"a","geometry":"g1","material":"m1"}"#,
            libraries: #""geometries":[{"uuid":"g1","v":1}],"materials":[{"uuid":"m1","v":1}],"#)
        let libraries = #"""
            "materials":[{"uuid":"m1","v":2},{"uuid":"m2"},7,{"noUuid":1}],
            "textures":[{"uuid":"t"}],"images":[{"uuid":"i"}],"shapes":[{"uuid":"s"}],
            "skeletons":[{"uuid":"k"}],"animations":[{"uuid":"n"}],"nodes":[{"uuid":"o"}],
            "unheardOf":[{"uuid":"u"}],
            """#
        document.apply(Fixture.update("a", #""geometry":"g1""#, libraries: libraries), at: 2)
        #expect(document.library("materials").map { $0["uuid"] as? String } == ["m1", "m2"])
        #expect(document.library("materials").first?["v"] as? Int == 2)
        #expect(document.library("geometries").first?["v"] as? Int == 1)
        for kind in ["textures", "images", "shapes", "skeletons", "animations", "nodes"] {
            #expect(document.library(kind).count == 1, "\(kind)")
        }
        #expect(document.sceneJSON["unheardOf"] == nil)
    }

    @Test("a removal takes the subtree and repeats without effect")
    func removal() throws {
        var document = try Fixture.document(Self.group + #",{"uuid":"z"}"#)
        document.apply(.objectRemoval(uuid: "g"), at: 2)
        #expect(document.children(of: "root") == ["z"])
        #expect(document.objectCount == 2)
        #expect(document.lastModified(of: "a") == 2)
        document.apply(.objectRemoval(uuid: "g"), at: 3)
        #expect(document.children(of: "root") == ["z"])
    }

    @Test("a late update does not bring back what was removed, nor what was below it")
    func tombstone() throws {
        var document = try Fixture.document(Self.group)
        document.apply(.objectRemoval(uuid: "g"), at: 2)
        for uuid in ["g", "a"] {
            document.apply(
                Fixture.update(uuid, libraries: #""materials":[{"uuid":"late"}],"#), at: 3)
        }
        #expect(document.children(of: "root") == [])
        #expect(document.library("materials").isEmpty)
    }

    @Test("an object removed before it was known stays away")
    func removalOfUnknown() throws {
        var document = try Fixture.document()
        document.apply(.objectRemoval(uuid: "x"), at: 2)
        document.apply(Fixture.update("x"), at: 3)
        #expect(document.children(of: "root") == [])
    }

    @Test(
        "an adding update brings a removed object back, so that undo works",
        arguments: ["object-added", "imported-object", "force-sync"])
    func undo(changeType: String) throws {
        var document = try Fixture.document(Self.group)
        document.apply(.objectRemoval(uuid: "g"), at: 2)
        let members = #""type":"Group","children":[{"uuid":"a"}]"#
        document.apply(Fixture.update("g", members, as: changeType), at: 3)
        #expect(document.children(of: "root") == ["g"])
        #expect(document.children(of: "g") == ["a"])
        document.apply(Fixture.update("a", #""name":"again""#), at: 4)
        #expect(document.object("a")?["name"] as? String == "again")
        document.apply(Fixture.update("b"), at: 5)
        #expect(document.object("b") == nil)
    }

    @Test("removed objects are remembered up to the limit, the oldest forgotten first")
    func tombstoneLimit() throws {
        var document = try Fixture.document()
        for index in 0...SceneLimits.tombstones {
            document.apply(.objectRemoval(uuid: "o\(index)"), at: UInt64(index + 2))
        }
        #expect(document.tombstones.count == SceneLimits.tombstones)
        document.apply(Fixture.update("o1"), at: 20_000)
        #expect(document.object("o1") == nil)
        document.apply(Fixture.update("o0"), at: 20_001)
        #expect(document.object("o0") != nil)
    }

    @Test("an object removed twice is remembered as long as its second removal")
    func tombstoneRenewed() throws {
        var document = try Fixture.document(#"{"uuid":"a"}"#)
        document.apply(.objectRemoval(uuid: "a"), at: 2)
        document.apply(Fixture.update("a", as: "object-added"), at: 3)
        for index in 0..<10 {
            document.apply(.objectRemoval(uuid: "o\(index)"), at: UInt64(index + 4))
        }
        document.apply(.objectRemoval(uuid: "a"), at: 20)
        for index in 0..<SceneLimits.tombstones - 5 {
            document.apply(.objectRemoval(uuid: "p\(index)"), at: UInt64(index + 21))
        }
        document.apply(Fixture.update("a"), at: 50_000)
        #expect(document.object("a") == nil)
    }

    @Test("the root can be updated, which sets background and fog too, but not removed")
    func root() throws {
        var document = try Fixture.document(Self.group)
        document.apply(.background(Fixture.json(#"{"type":"Color","r":1,"g":0,"b":0}"#)), at: 2)
        document.apply(Fixture.update("root", #""type":"Scene","name":"N","fog":null"#), at: 3)
        #expect(document.rootJSON["name"] as? String == "N")
        #expect(document.rootJSON["background"] == nil)
        #expect(document.rootJSON["fog"] == nil)
        document.apply(Fixture.update("root", #""type":"Scene","background":255"#), at: 4)
        #expect(document.rootJSON["background"] as? Int == 255)
        document.apply(.objectRemoval(uuid: "root"), at: 5)
        #expect(document.children(of: "root") == ["g"])
    }

    @Test("an update of an unknown scene means the root, which keeps its uuid")
    func otherRoot() throws {
        var document = try Fixture.document(Self.group)
        document.apply(Fixture.update("mine", #""type":"Scene","name":"N""#), at: 2)
        #expect(document.rootJSON["name"] as? String == "N")
        #expect(document.rootJSON["uuid"] as? String == "root")
        #expect(document.objectCount == 4)
    }

    @Test("an update of the editor's camera changes the camera and not the tree")
    func camera() throws {
        var document = try Fixture.document()
        document.apply(Fixture.update("cam", #""type":"PerspectiveCamera","fov":30"#), at: 2)
        let camera = document.snapshot["camera"] as? [String: Any]
        let object = camera?["object"] as? [String: Any]
        #expect(object?["fov"] as? Int == 30)
        #expect(object?["uuid"] as? String == "cam")
        #expect(document.children(of: "root") == [])
        document.apply(.objectRemoval(uuid: "cam"), at: 3)
        document.apply(Fixture.update("cam", #""fov":40"#), at: 4)
        #expect(document.lastModified(of: "cam") == 4)
    }

    @Test("a material update sets the material and what comes with it")
    func material() throws {
        var document = try Fixture.document(
            "", libraries: #""materials":[{"uuid":"m","color":1}],"#)
        let data = Fixture.json(
            #"{"metadata":{},"uuid":"m","color":2,"map":"t","textures":[{"uuid":"t"}],"images":[]}"#
        )
        document.apply(.material(uuid: "m", data: data), at: 2)
        let material = try #require(document.library("materials").first)
        #expect(equal(material, ["uuid": "m", "color": 2, "map": "t"] as [String: Any]))
        #expect(document.library("textures").count == 1)
    }

    @Test("a tree that would become too deep is continued below the root, and nothing is lost")
    func depthOfGrafts() throws {
        var document = try Fixture.document(#"{"uuid":"n1"}"#)
        for level in 1...400 {
            let members = #""children":[{"uuid":"n\#(level + 1)"}]"#
            document.apply(
                Fixture.update("n\(level)", members, as: "object-added"), at: UInt64(level + 1))
        }
        #expect(document.objectCount == 402)
        let text = try #require(document.editorData())
        #expect(throws: Never.self) { try JSONText(validating: text.bytes) }
        #expect(throws: Never.self) { try SceneDocument.validate(text) }
    }
}
