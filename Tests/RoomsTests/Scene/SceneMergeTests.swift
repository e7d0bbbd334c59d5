import JSON
import Testing

@testable import Rooms

@Suite("Edits of both sides of a partition, brought together")
struct SceneMergeTests {
    private static let group =
        #"{"uuid":"g","n":1,"children":[{"uuid":"a","n":1},{"uuid":"b","n":1,"children":["#
        + #"{"uuid":"c","n":1}]}]}"#

    private func object(_ uuid: String, _ number: Int, as changeType: String = "general")
        -> SceneEdit
    {
        Fixture.update(uuid, #""n":\#(number)"#, as: changeType)
    }

    private func number(_ document: SceneDocument, _ uuid: String) -> Int? {
        document.object(uuid)?["n"] as? Int
    }

    @Test("of two updates of one object the later wins, whichever side made it")
    func updates() throws {
        var document = try Fixture.document(Self.group)
        document.apply(object("a", 10), at: 10)
        document.apply(object("b", 20), at: 20)
        let won = document.merge(local: [(15, object("a", 15)), (16, object("b", 16))])
        #expect(won == [object("a", 15)])
        #expect(number(document, "a") == 15)
        #expect(number(document, "b") == 20)
        #expect(document.lastModified(of: "a") == 15)
    }

    @Test("of equal versions the store's edit stays")
    func equalVersions() throws {
        var document = try Fixture.document(Self.group)
        document.apply(object("a", 10), at: 10)
        #expect(document.merge(local: [(10, object("a", 11))]).isEmpty)
        #expect(number(document, "a") == 10)
    }

    @Test("objects added on the other side are added, also by a general update")
    func additions() throws {
        var document = try Fixture.document(Self.group)
        let edits = [object("x", 1, as: "object-added"), object("y", 1)]
        #expect(document.merge(local: [(2, edits[0]), (3, edits[1])]) == edits)
        #expect(document.children(of: "root") == ["g", "x", "y"])
    }

    @Test("a removal wins over older updates and loses to later ones")
    func removals() throws {
        var document = try Fixture.document(Self.group)
        document.apply(object("a", 10), at: 10)
        document.apply(object("c", 20), at: 20)
        let removals =
            [(15, SceneEdit.objectRemoval(uuid: "a")), (16, .objectRemoval(uuid: "c"))]
            as [(UInt64, SceneEdit)]
        #expect(document.merge(local: removals) == [.objectRemoval(uuid: "a")])
        #expect(document.object("a") == nil)
        #expect(number(document, "c") == 20)
    }

    @Test("an update older than the store's removal is lost, a later one revives the object")
    func revival() throws {
        var document = try Fixture.document(Self.group)
        document.apply(.objectRemoval(uuid: "a"), at: 10)
        document.apply(.objectRemoval(uuid: "b"), at: 11)
        let edits = [(9, object("a", 9)), (12, object("b", 12))] as [(UInt64, SceneEdit)]
        let won = document.merge(local: edits, since: 8)
        #expect(won == [object("b", 12, as: "force-sync")])
        #expect(document.object("a") == nil)
        #expect(number(document, "b") == 12)
    }

    @Test("what the other side had added again is changed there, though it was removed long before")
    func updateOfWhatWasAddedAgain() throws {
        var document = try Fixture.document(Self.group)
        document.apply(.objectRemoval(uuid: "a"), at: 10)
        document.apply(.replace(editorData: Fixture.editor()), at: 30)
        let won = document.merge(
            local: [(20, object("a", 20, as: "object-added")), (40, object("a", 40))], since: 15)
        #expect(won == [object("a", 40, as: "force-sync")])
        #expect(number(document, "a") == 40)
    }

    @Test("a full upload removed again what was removed before it")
    func uploadAfterRemoval() throws {
        var document = try Fixture.document(Self.group)
        document.apply(.objectRemoval(uuid: "a"), at: 10)
        document.apply(.replace(editorData: Fixture.editor()), at: 30)
        #expect(document.merge(local: [(20, object("a", 20, as: "object-added"))]).isEmpty)
        #expect(document.merge(local: [(40, object("a", 40, as: "object-added"))]).count == 1)
    }

    @Test("what came over from another side counts as of when it was made")
    func restamped() throws {
        var document = try Fixture.document(Self.group)
        document.apply(object("a", 100), at: 100)
        document.apply(.objectRemoval(uuid: "b"), at: 101)
        #expect(document.merge(local: [(50, object("a", 50)), (51, object("b", 51))]).isEmpty)
        document.restamp(object("a", 100), from: 100, to: 40)
        document.restamp(.objectRemoval(uuid: "b"), from: 101, to: 41)
        document.restamp(object("c", 1), from: 99, to: 1)
        let edits = [(50, object("a", 50)), (51, object("b", 51))] as [(UInt64, SceneEdit)]
        #expect(document.merge(local: edits, since: 30).count == 2)
        #expect(number(document, "a") == 50)
    }

    @Test("an object that its own side had brought back comes back with a later update")
    func broughtBack() throws {
        for addition in [
            object("a", 10, as: "object-added"),
            .replace(editorData: Fixture.editor(#"{"uuid":"a","n":10}"#)),
        ] {
            var document = try Fixture.document(Self.group)
            document.apply(.objectRemoval(uuid: "a"), at: 5)
            try document.replace(with: Fixture.editor(#"{"uuid":"b","n":1}"#), at: 20)
            let later = object("a", 30)
            let won = document.merge(local: [(10, addition), (30, later)], since: 9)
            #expect(won == [object("a", 30, as: "force-sync")])
            #expect(number(document, "a") == 30)
            let removal = SceneEdit.objectRemoval(uuid: "a")
            #expect(document.merge(local: [(31, removal), (32, later)], since: 9) == [removal])
            #expect(document.object("a") == nil)
        }
    }

    @Test("an update that was of no effect on its own side is of none here")
    func withoutEffect() throws {
        var document = try Fixture.document(Self.group)
        document.apply(.objectRemoval(uuid: "a"), at: 5)
        document.apply(object("c", 12), at: 12)
        let edits: [(UInt64, SceneEdit)] = [
            (10, .objectRemoval(uuid: "b")), (11, object("a", 11)), (13, object("b", 13)),
            (14, object("c", 14)),
        ]
        #expect(document.merge(local: edits, since: 9).count == 2)
        #expect(document.object("a") == nil)
        #expect(document.object("b") == nil)
        #expect(number(document, "c") == 12)
    }

    @Test("a background that was set later than the other side's scene update stays")
    func backgroundOfRoot() throws {
        var document = try Fixture.document()
        document.apply(.background(Fixture.json(#"{"type":"Color","r":1,"g":0,"b":0}"#)), at: 20)
        let update = Fixture.update("root", #""type":"Scene","name":"N","background":1"#)
        let won = document.merge(local: [(10, update)])
        #expect(document.rootJSON["background"] as? Int == 0xFF0000)
        #expect(document.rootJSON["name"] as? String == "N")
        var other = try Fixture.document()
        for edit in won { other.apply(edit, at: 30) }
        #expect(other.rootJSON["background"] as? Int == 0xFF0000)
    }

    @Test("what was changed below a removed object later than the removal goes below the root")
    func rescue() throws {
        var document = try Fixture.document(Self.group)
        document.apply(object("b", 20), at: 20)
        let won = document.merge(local: [(10, .objectRemoval(uuid: "g"))])
        #expect(document.children(of: "root") == ["b"])
        #expect(document.children(of: "b") == [])
        #expect(document.lastModified(of: "c") == 10)
        #expect(won.count == 2)
        var other = try Fixture.document(Self.group)
        other.apply(object("b", 20), at: 20)
        for (offset, edit) in won.enumerated() { other.apply(edit, at: UInt64(30 + offset)) }
        #expect(other.editorData() == document.editorData())
    }

    @Test("a rescued object keeps the later ones below it, through removed ones between")
    func nestedRescue() throws {
        var document = try Fixture.document(Self.group)
        document.apply(object("g", 20), at: 20)
        document.apply(object("c", 21), at: 21)
        #expect(document.merge(local: [(10, .objectRemoval(uuid: "g"))]).isEmpty)
        #expect(document.merge(local: [(19, .objectRemoval(uuid: "b"))]).count == 2)
        #expect(document.children(of: "root") == ["g", "c"])
        #expect(document.children(of: "g") == ["a"])
    }

    @Test("background and fog of the later side stay")
    func members() throws {
        let red = SceneEdit.background(Fixture.json(#"{"type":"Color","r":1,"g":0,"b":0}"#))
        let fog = SceneEdit.fog(Fixture.json(#"{"color":255,"density":1}"#))
        var document = try Fixture.document()
        document.apply(.background(.null), at: 10)
        #expect(document.merge(local: [(9, red), (11, fog)]) == [fog])
        #expect(document.rootJSON["background"] == nil)
        #expect(document.merge(local: [(12, red)]) == [red])
        #expect(document.rootJSON["background"] as? Int == 0xFF0000)
    }

    @Test("assets that this side set later stay, and the edit that is passed on lacks them")
    func assets() throws {
        var document = try Fixture.document(Self.group)
        let newer = #""materials":[{"uuid":"m","n":20}],"#
        document.apply(Fixture.update("a", #""n":20"#, libraries: newer), at: 20)
        let older = #""materials":[{"uuid":"m","n":10},{"uuid":"p","n":10}],"#
        let won = document.merge(
            local: [(10, Fixture.update("b", #""n":10"#, libraries: older))])
        #expect(document.library("materials").map { $0["n"] as? Int } == [20, 10])
        #expect(won.count == 1)
        var other = try Fixture.document(Self.group)
        other.apply(Fixture.update("a", #""n":20"#, libraries: newer), at: 20)
        for edit in won { other.apply(edit, at: 30) }
        #expect(other.editorData() == document.editorData())
        #expect(document.merge(local: [(15, .material(uuid: "m", data: .emptyObject))]).isEmpty)
        #expect(document.merge(local: [(21, .material(uuid: "m", data: .emptyObject))]).count == 1)
    }

    @Test("a whole scene brings objects with what is below them and the assets that they use")
    func whole() throws {
        var theirs = try Fixture.document(Self.group)
        theirs.apply(object("a", 30), at: 30)
        theirs.apply(.objectRemoval(uuid: "c"), at: 40)
        var ours = try Fixture.document(Self.group)
        ours.apply(object("a", 10), at: 10)
        ours.apply(object("c", 20), at: 20)
        let libraries =
            #""geometries":[{"uuid":"used"},{"uuid":"unused"}],"#
            + #""materials":[{"uuid":"m","map":"t"}],"textures":[{"uuid":"t"}],"#
        ours.apply(
            Fixture.update(
                "new", #""geometry":"used","material":"m","children":[{"uuid":"below","n":1}]"#,
                libraries: libraries, as: "object-added"), at: 50)
        ours.apply(
            .scriptAdded(objectUUID: "new", script: Fixture.script("one")), at: 51)
        ours.apply(.background(Fixture.json(#"{"type":"Color","r":0.25,"g":0.5,"b":1}"#)), at: 52)
        ours.apply(.objectRemoval(uuid: "b"), at: 53)
        var otherSide = SceneDocument.OtherSide(base: 1)
        let parts = theirs.merge(whole: ours, from: &otherSide)
        #expect(number(theirs, "a") == 30, "theirs is later")
        for gone in ["b", "c"] { #expect(!theirs.contains(gone)) }
        let new = try #require(theirs.tree.slot(of: "new"))
        let below = try #require(theirs.tree.slot(of: "below"))
        #expect(theirs.tree[below].parent == new)
        #expect(theirs.library("geometries").map { $0["uuid"] as? String } == ["used"])
        #expect(theirs.library("materials").count == 1 && theirs.library("textures").count == 1)
        #expect(theirs.scriptNames(of: "new") == ["one"])
        #expect(theirs.background.value == ours.background.value)
        #expect(Set(parts.map(\.name)).count == parts.count)
        #expect(theirs.lastModified(of: "new") == 50)
    }

    @Test("a colour is the same after its way to an integer and back")
    func colours() {
        for hex: Int64 in stride(from: 0, through: 0xFF_FFFF, by: 0x01_01_01) {
            #expect(LinearColor(sRGBHex: hex).sRGBHex == hex)
        }
    }

    @Test("scripts are merged by name")
    func scripts() throws {
        var document = try Fixture.document(Self.group)
        let both = Fixture.script("both", "store")
        document.apply(.scriptAdded(objectUUID: "a", script: both), at: 10)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("gone")), at: 11)
        document.apply(.scriptRemoved(objectUUID: "a", script: Fixture.script("gone")), at: 15)
        let later = Fixture.script("both", "later")
        let won = document.merge(local: [
            (9, .scriptAdded(objectUUID: "a", script: Fixture.script("both", "earlier"))),
            (12, .scriptChanged(objectUUID: "a", script: Fixture.script("mine"))),
            (14, .scriptAdded(objectUUID: "a", script: Fixture.script("gone"))),
            (16, .scriptAdded(objectUUID: "a", script: later)),
            (17, .scriptRemoved(objectUUID: "a", script: Fixture.script("mine"))),
            (18, .scriptRemoved(objectUUID: "a", script: Fixture.script("unknown"))),
        ])
        #expect(
            won == [
                .scriptAdded(objectUUID: "a", script: Fixture.script("mine")),
                .scriptChanged(objectUUID: "a", script: later),
                .scriptRemoved(objectUUID: "a", script: Fixture.script("mine")),
            ])
        #expect(document.scriptNames(of: "a") == ["both"])
    }

    @Test("one removal takes one of several scripts of a name, also when it is merged again")
    func equalNames() throws {
        var document = try Fixture.document(Self.group)
        for version in [10, 11] as [Version] {
            document.apply(
                .scriptAdded(objectUUID: "a", script: Fixture.script("s")), at: version)
        }
        let removal = SceneEdit.scriptRemoved(objectUUID: "a", script: Fixture.script("s"))
        #expect(document.merge(local: [(12, removal)]) == [removal])
        #expect(document.merge(local: [(12, removal)]).isEmpty)
        #expect(document.scriptNames(of: "a") == ["s"])
    }

    @Test("the later of two full uploads wins, with what was done since on either side")
    func uploads() throws {
        var document = try Fixture.document(Self.group)
        #expect(document.merge(local: [(1, .replace(editorData: Fixture.editor()))]).isEmpty)
        document.apply(object("a", 20), at: 20)
        document.apply(object("new", 21, as: "object-added"), at: 21)
        document.apply(.objectRemoval(uuid: "d"), at: 22)
        let upload = Fixture.editor(#"{"uuid":"g","n":10},{"uuid":"d","n":10},{"uuid":"e","n":10}"#)
        let won = document.merge(local: [(10, .replace(editorData: upload)), (11, object("e", 11))])
        #expect(document.children(of: "root") == ["g", "e", "new"])
        #expect(document.children(of: "g") == ["a"])
        #expect(number(document, "a") == 20)
        #expect(number(document, "e") == 11)
        #expect(document.lastModified(of: "b") == 10)
        #expect(won.count == 2)
        var other = try Fixture.document(Self.group)
        for (offset, edit) in won.enumerated() { other.apply(edit, at: UInt64(30 + offset)) }
        #expect(other.editorData() == document.editorData())
    }

    @Test("an upload that nothing was done after is passed on as it is")
    func plainUpload() throws {
        var document = try Fixture.document(Self.group)
        let upload = SceneEdit.replace(editorData: Fixture.editor(#"{"uuid":"z"}"#))
        #expect(document.merge(local: [(5, upload)]) == [upload])
        #expect(document.children(of: "root") == ["z"])
    }

    @Test("edits older than the store's full upload are lost")
    func olderThanUpload() throws {
        var document = SceneDocument()
        try document.replace(with: Fixture.editor(Self.group), at: 10)
        let before = document.checkpoint()
        let won = document.merge(local: [
            (5, object("x", 5, as: "object-added")), (6, object("a", 6)), (7, .background(.null)),
            (8, .scriptAdded(objectUUID: "a", script: Fixture.script("s"))),
            (9, .objectRemoval(uuid: "a")), (9, .material(uuid: "m", data: .emptyObject)),
        ])
        #expect(won.isEmpty)
        #expect(document.checkpoint() == before)
    }

    @Test("a store that came back empty takes everything")
    func emptyStore() throws {
        var document = SceneDocument()
        let upload = SceneEdit.replace(editorData: Fixture.editor(Self.group))
        let edits: [(UInt64, SceneEdit)] = [
            (1, upload), (2, object("a", 2)), (3, .objectRemoval(uuid: "b")),
        ]
        #expect(document.merge(local: edits) == edits.map(\.1))
        var direct = SceneDocument()
        for (version, edit) in edits { direct.apply(edit, at: version) }
        #expect(document.checkpoint() == direct.checkpoint())
    }
}
