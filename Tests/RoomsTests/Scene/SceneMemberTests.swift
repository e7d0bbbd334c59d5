import JSON
import Testing

@testable import Rooms

@Suite("Background, fog and scripts of the stored scene (CONTRACT §7)")
struct SceneMemberTests {
    private func background(_ red: Double, _ green: Double, _ blue: Double) throws -> Int? {
        var document = try Fixture.document()
        let data: JSONValue = [
            "type": "Color", "r": .double(red), "g": .double(green), "b": .double(blue),
        ]
        document.apply(.background(data.json), at: 2)
        return document.rootJSON["background"] as? Int
    }

    /// Expected values: `new THREE.Color(r, g, b).getHex()`.
    @Test("a linear colour becomes the sRGB integer that three.js writes")
    func colour() throws {
        #expect(try background(0, 0, 0) == 0x000000)
        #expect(try background(1, 1, 1) == 0xFFFFFF)
        #expect(try background(0.214_041_140_482_232_55, 0, 1) == 0x8000FF)
        #expect(try background(0.003, 0.002, 0.402_0) == 0x0A07AA)
        #expect(try background(-4, 2, 1e300) == 0x00FFFF)
    }

    /// `Color.setHex` then `getHex` gives the integer again: so must the way through r, g, b.
    @Test("every 8-bit grey survives the way to linear light and back")
    func greys() throws {
        for grey in 0...255 {
            let encoded = Double(grey) / 255
            let linear =
                encoded < 0.04045
                ? encoded * 0.077_399_380_8
                : powForTest(encoded * 0.947_867_298_6 + 0.052_132_701_4, 2.4)
            #expect(try background(linear, linear, linear) == grey * 0x010101)
        }
    }

    @Test("a null background removes the member")
    func noBackground() throws {
        var document = SceneDocument()
        try document.replace(with: Fixture.editor(root: #","background":"texture""#), at: 1)
        #expect(document.rootJSON["background"] as? String == "texture")
        document.apply(.background(.null), at: 2)
        #expect(document.rootJSON.keys.contains("background") == false)
    }

    @Test("a linear fog gets the three.js shape")
    func fog() throws {
        var document = try Fixture.document()
        let data = #"{"type":"Fog","color":{"r":1,"g":0,"b":0},"near":1.5,"far":100}"#
        document.apply(.fog(Fixture.json(data)), at: 2)
        let expected: [String: Any] = [
            "type": "Fog", "name": "", "color": 0xFF0000, "near": 1.5, "far": 100,
        ]
        #expect(equal(document.rootJSON["fog"] ?? 0, expected))
        document.apply(.fog(.null), at: 3)
        #expect(document.rootJSON.keys.contains("fog") == false)
    }

    @Test(
        "the kind of fog is told by near and density, because minified clients misname it",
        arguments: [
            (#"{"type":"Xe","color":{"r":0,"g":0,"b":0},"near":1,"far":2}"#, "Fog"),
            (#"{"type":"Qa","color":{"r":0,"g":0,"b":0},"density":0.1}"#, "FogExp2"),
            (#"{"type":"FogExp2","name":"n","color":255,"density":0.1}"#, "FogExp2"),
        ])
    func fogKind(data: String, kind: String) throws {
        var document = try Fixture.document()
        try document.check(.fog(Fixture.json(data)))
        document.apply(.fog(Fixture.json(data)), at: 2)
        let fog = document.rootJSON["fog"] as? [String: Any]
        #expect(fog?["type"] as? String == kind)
    }

    @Test("scripts are appended, also under a name that is there")
    func added() throws {
        var document = try Fixture.document(#"{"uuid":"a"}"#)
        for (version, name) in [(2, "s"), (3, "t"), (4, "s")] as [(UInt64, String)] {
            document.apply(
                .scriptAdded(objectUUID: "a", script: Fixture.script(name)), at: version)
        }
        #expect(document.scriptNames(of: "a") == ["s", "t", "s"])
    }

    @Test("a changed script replaces the first of its name, else the first, else is appended")
    func changed() throws {
        var document = try Fixture.document(#"{"uuid":"a"},{"uuid":"b"}"#)
        for (version, name) in [(2, "s"), (3, "t")] as [(UInt64, String)] {
            document.apply(
                .scriptAdded(objectUUID: "a", script: Fixture.script(name)), at: version)
        }
        document.apply(.scriptChanged(objectUUID: "a", script: Fixture.script("t", "new")), at: 4)
        #expect(document.scriptNames(of: "a") == ["s", "t"])
        document.apply(.scriptChanged(objectUUID: "a", script: Fixture.script("renamed")), at: 5)
        #expect(document.scriptNames(of: "a") == ["renamed", "t"])
        document.apply(.scriptChanged(objectUUID: "b", script: Fixture.script("only")), at: 6)
        #expect(document.scriptNames(of: "b") == ["only"])
    }

    @Test("a removed script is the first of its name; an unknown one changes nothing")
    func removed() throws {
        var document = try Fixture.document(#"{"uuid":"a"}"#)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("s", "1")), at: 2)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("s", "2")), at: 3)
        document.apply(.scriptRemoved(objectUUID: "a", script: Fixture.script("u")), at: 4)
        #expect(document.scriptNames(of: "a") == ["s", "s"])
        document.apply(.scriptRemoved(objectUUID: "a", script: Fixture.script("s")), at: 5)
        let scripts = document.snapshot["scripts"] as? [String: [[String: String]]]
        #expect(scripts?["a"]?.first?["source"] == "2")
        document.apply(.scriptRemoved(objectUUID: "a", script: Fixture.script("s")), at: 6)
        #expect(document.scriptNames(of: "a") == nil)
    }

    @Test("scripts of a removed object are hidden and come back with it")
    func scriptsOfRemoved() throws {
        var document = try Fixture.document(#"{"uuid":"a"}"#)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("s")), at: 2)
        document.apply(.objectRemoval(uuid: "a"), at: 3)
        #expect(document.scriptNames(of: "a") == nil)
        document.apply(Fixture.update("a", as: "object-added"), at: 4)
        #expect(document.scriptNames(of: "a") == ["s"])
    }

    @Test("scripts end when the removal of their object is forgotten")
    func scriptsForgotten() throws {
        var document = try Fixture.document(#"{"uuid":"a"}"#)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("s")), at: 2)
        document.apply(.objectRemoval(uuid: "a"), at: 3)
        for index in 0..<SceneLimits.tombstones {
            document.apply(.objectRemoval(uuid: "o\(index)"), at: UInt64(index + 4))
        }
        #expect(document.scripts.byteCount == 0)
    }
}
