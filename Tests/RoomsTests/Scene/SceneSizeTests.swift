import JSON
import Testing

@testable import Rooms

@Suite("Large scenes")
struct SceneSizeTests {
    /// `count` meshes in groups of a hundred, each with `padding` bytes of its own.
    private func upload(objects count: Int, padding: Int) -> JSONText {
        let filler = String(repeating: "p", count: padding)
        let groups = stride(from: 0, to: count, by: 100).map { start in
            let meshes = (start..<min(start + 100, count)).map {
                #"{"uuid":"mesh-\#($0)","type":"Mesh","geometry":"g","name":"\#(filler)"}"#
            }
            return #"{"uuid":"group-\#(start)","children":[\#(meshes.joined(separator: ","))]}"#
        }
        return Fixture.editor(
            groups.joined(separator: ","), libraries: #""geometries":[{"uuid":"g"}],"#)
    }

    @Test("an edit of a 15 MB scene of 10,000 objects touches as many nodes as one of ten")
    func costs() throws {
        var large = SceneDocument()
        var small = SceneDocument()
        let data = upload(objects: 10_000, padding: 1_450)
        #expect(data.bytes.count > 14 << 20)
        try large.replace(with: data, at: 1)
        try small.replace(with: upload(objects: 10, padding: 10), at: 1)
        #expect(large.objectCount == 10_101)
        let edits: [SceneEdit] = [
            Fixture.update("mesh-3"), Fixture.update("new", as: "object-added"),
            Fixture.update("group-0", #""children":[{"uuid":"c"}]"#, as: "force-sync"),
            .objectRemoval(uuid: "mesh-5"), .objectRemoval(uuid: "new"),
            .background(Fixture.json(#"{"type":"Color","r":1,"g":0,"b":0}"#)),
            .scriptAdded(objectUUID: "mesh-3", script: Fixture.script("s")),
        ]
        for (offset, edit) in edits.enumerated() {
            let before = (large.visits, small.visits)
            large.apply(edit, at: UInt64(offset + 2))
            small.apply(edit, at: UInt64(offset + 2))
            #expect(large.visits - before.0 == small.visits - before.1, "\(edit)")
            #expect(large.visits - before.0 <= 2)
        }
    }

    @Test("a 15 MB scene survives snapshot and checkpoint")
    func roundTrip() throws {
        var document = SceneDocument()
        try document.replace(with: upload(objects: 10_000, padding: 1_450), at: 1)
        let text = try #require(document.editorData())
        let count = document.approximateByteCount
        #expect(abs(text.bytes.count - count) < text.bytes.count / 5)
        let restored = try SceneDocument(checkpoint: document.checkpoint()[...])
        #expect(restored.editorData() == text)
        #expect(document.isSameUpload(text))
    }

    @Test("the wide list of a parent makes no removal slow")
    func wide() throws {
        var document = SceneDocument()
        let children = (0..<20_000).map { #"{"uuid":"\#($0)"}"# }.joined(separator: ",")
        try document.replace(with: Fixture.editor(children), at: 1)
        for index in 0..<19_999 {
            document.apply(.objectRemoval(uuid: "\(index)"), at: UInt64(index + 2))
        }
        #expect(document.children(of: "root") == ["19999"])
        #expect(document.visits < 3 * 20_000)
    }

    @Test("assets that nothing uses any more are dropped when they have doubled")
    func sweep() throws {
        var document = try Fixture.document(
            #"{"uuid":"a","geometry":"g-0"},{"uuid":"b","material":["kept"]},{"x":["loose"]}"#,
            libraries: #"""
                "materials":[{"uuid":"kept","map":"tex"},{"uuid":"loose"},{"uuid":"unused"}],
                "textures":[{"uuid":"tex","image":"\u0069mg"}],"images":[{"uuid":"img"}],
                """#)
        let filler = String(repeating: "v", count: 100_000)
        for index in 1...100 {
            let libraries = #""geometries":[{"uuid":"g-\#(index)","data":"\#(filler)"}],"#
            document.apply(
                Fixture.update("a", #""geometry":"g-\#(index)""#, libraries: libraries),
                at: UInt64(index + 1))
            #expect(document.assets.byteCount < 2 << 20)
        }
        #expect(document.assets[.geometries].position(of: "g-100") != nil)
        #expect(document.library("materials").map { $0["uuid"] as? String } == ["kept", "loose"])
        #expect(document.library("textures").count == 1)
        #expect(document.library("images").count == 1)
    }

    @Test("a copy of a scene is not changed by edits of the other")
    func copies() throws {
        let original = try Fixture.document(#"{"uuid":"a"}"#)
        var copy = original
        copy.apply(.objectRemoval(uuid: "a"), at: 2)
        #expect(original.children(of: "root") == ["a"])
        #expect(copy.children(of: "root") == [])
    }
}
