import Rooms
import Testing

@testable import RoomStore

@Suite("Merging a room")
struct RoomMergeTests {
    /// A room with anna and bert in it, folded from these changes at versions 10, 20, 30….
    private func state(_ changes: [RoomEntry.Change] = []) -> RoomState {
        var state = RoomState(id: "room", epoch: 10)
        let created = RoomEntry.Change.created(
            creator: Fixture.member("anna"), passwordHash: nil, editor: nil)
        let bert = RoomEntry.Change.joined(
            Fixture.member("bert", of: "two"), replacing: nil, takesHost: false)
        for (index, change) in ([created, bert] + changes).enumerated() {
            let version = Version(index + 1) * 10
            state.fold(
                VersionedEntry(
                    version: version, previous: version - 10,
                    entry: RoomEntry(id: "t\(index)", change: change)))
        }
        return state
    }

    private func missing(_ changes: [RoomEntry.Change], from first: Version) -> [VersionedEntry] {
        changes.enumerated().map { index, change in
            let version = first + Version(index)
            return VersionedEntry(
                version: version, previous: version - 1,
                entry: RoomEntry(id: "m\(index)", change: change))
        }
    }

    private func merge(
        _ state: RoomState, _ changes: [RoomEntry.Change], from first: Version = 100,
        since: Version? = nil, isFenced: Bool = false
    ) -> RoomMerge {
        let missing = missing(changes, from: first)
        return RoomMerge(
            state, missing: missing, since: since ?? first - 1,
            above: missing.last?.version ?? first, isFenced: isFenced)
    }

    @Test("keeps the later change of each object and the ids of its entries")
    func scene() throws {
        let state = state([
            try Fixture.update("a", "theirs"), try Fixture.update("b", "theirs"),
        ])
        let merged = merge(
            state,
            [try Fixture.update("a", "older"), try Fixture.update("c", "new")], from: 25)
        #expect(merged.entries.map(\.id) == ["m1"])
        let later = merge(state, [try Fixture.update("a", "newer")], from: 50)
        #expect(later.entries.map(\.change) == [try Fixture.update("a", "newer")])
    }

    @Test(
        "brings back what the others removed before it was changed here, not what was removed here")
    func removals() throws {
        let general = RoomEntry.Change.edited(
            .objectUpdate(
                uuid: "a", data: try Fixture.json(#"{"object":{"uuid":"a","type":"Mesh"}}"#),
                changeType: "general"), by: "anna")
        let removal = RoomEntry.Change.edited(.objectRemoval(uuid: "a"), by: "anna")
        let theirs = state([try Fixture.update("a", "theirs"), removal])
        let removedAt = theirs.version
        let unseen = merge(theirs, [general], from: removedAt + 10, since: removedAt - 1)
        #expect(unseen.entries.map(\.id) == ["m0"])
        let seen = merge(theirs, [general], from: removedAt + 10, since: removedAt)
        #expect(!seen.entries.map(\.change).contains(general))
        let own = merge(
            state([try Fixture.update("a", "theirs")]), [removal, general], from: 100, since: 50)
        #expect(own.entries.map(\.change) == [removal])
    }

    @Test("knows that an object was there again, also where the others have heard of that already")
    func addedByAKnownEntry() throws {
        let theirs = state([try Fixture.update("a", "theirs")])
        let general = RoomEntry.Change.edited(
            .objectUpdate(
                uuid: "a", data: try Fixture.json(#"{"object":{"uuid":"a","type":"Mesh"}}"#),
                changeType: "general"), by: "anna")
        // The removal lost against theirs and so is not stored; what added the object again is.
        let ours = missing(
            [
                .edited(.objectRemoval(uuid: "a"), by: "anna"),
                try Fixture.update("a", "theirs"), general,
            ], from: 25)
        let merged = RoomMerge(
            theirs,
            missing: [ours[0], VersionedEntry(version: 60, previous: 26, entry: ours[2].entry)],
            of: ours, since: 20, above: 60, isFenced: false)
        #expect(merged.entries.map(\.change) == [general])
    }

    @Test("brings back what a third side had removed before, and said so only after")
    func removalOfAThirdSide() throws {
        let general = RoomEntry.Change.edited(
            .objectUpdate(
                uuid: "a", data: try Fixture.json(#"{"object":{"uuid":"a","type":"Mesh"}}"#),
                changeType: "general"), by: "anna")
        var theirs = state([try Fixture.update("a", "theirs"), try Fixture.update("b", "base")])
        let base = theirs.version
        let removal = VersionedEntry(
            version: base + 5, previous: base,
            entry: RoomEntry(
                id: "third", change: .edited(.objectRemoval(uuid: "a"), by: "carl"),
                madeAt: base - 5))
        theirs.fold(removal)
        let merged = RoomMerge(
            theirs, log: [removal], missing: missing([general], from: base + 3), since: base,
            above: base + 10, isFenced: false)
        var folded = theirs
        for (index, entry) in merged.entries.enumerated() {
            let version = base + 20 + Version(index)
            folded.fold(VersionedEntry(version: version, previous: 0, entry: entry))
        }
        #expect(folded.scene.contains("a"))
    }

    @Test("takes the whole scene where the entries that made it are forgotten")
    func wholeScene() throws {
        let removal = RoomEntry.Change.edited(.objectRemoval(uuid: "b"), by: "anna")
        let theirs = state([try Fixture.update("a", "new"), try Fixture.update("b", "old")])
        var ours = state()
        let changes = [
            try Fixture.update("a", "old"), try Fixture.update("b", "ours"),
            try Fixture.update("c", "ours"), removal,
        ]
        for (index, change) in changes.enumerated() {
            ours.fold(
                VersionedEntry(
                    version: [25, 45, 50, 55][index], previous: ours.version,
                    entry: RoomEntry(id: "o\(index)", change: change)))
        }
        func merged(_ state: RoomState) -> RoomMerge {
            RoomMerge(
                state, missing: [], since: 20, above: 60, isFenced: false, copy: ours.scene)
        }
        let merge = merged(theirs)
        var folded = theirs
        for (index, entry) in merge.entries.enumerated() {
            folded.fold(
                VersionedEntry(version: 61 + Version(index), previous: 0, entry: entry))
        }
        let scene = folded.scene
        #expect(scene.contains("a") && !scene.contains("b") && scene.contains("c"))
        #expect(!merge.entries.contains { $0.change == changes[0] }, "theirs is later")
        // Once it is there it is not brought again.
        #expect(
            merged(folded).entries.map(\.change).allSatisfy {
                $0 == .renamed(memberID: "", name: "")
            })
    }

    @Test("says of each member only the last name")
    func names() {
        let merged = merge(
            state(),
            [
                .renamed(memberID: "anna", name: "one"), .renamed(memberID: "anna", name: "two"),
                .renamed(memberID: "bert", name: "bert"),
            ])
        #expect(merged.entries.map(\.id) == ["m1"])
    }

    @Test("folds to the same scene wherever the winners are appended")
    func winnersFold() throws {
        let upload = try Fixture.upload(#"{"uuid":"u","type":"Mesh"}"#)
        let state = state([try Fixture.update("a", "theirs")])
        let merged = merge(
            state, [.uploaded(upload, by: "anna"), try Fixture.update("c", "new")], from: 25)
        var folded = state
        for (index, entry) in merged.entries.enumerated() {
            folded.fold(
                VersionedEntry(version: 200 + Version(index), previous: 0, entry: entry))
        }
        for object in ["a", "c", "u"] { #expect(folded.scene.contains(object)) }
        #expect(merged.entries.first?.id == "m0")
    }

    @Test("lets in who came, takes out who went, and is silent on who did both")
    func membership() throws {
        let carl = Fixture.member("carl")
        let dora = Fixture.member("dora")
        let merged = merge(
            state(),
            [
                .joined(carl, replacing: nil, takesHost: true),
                .joined(dora, replacing: nil, takesHost: false),
                .renamed(memberID: "carl", name: "Karl"),
                .left(memberID: "dora", cause: .left),
                .left(memberID: "anna", cause: .disconnected),
                .left(memberID: "bert", cause: .swept),
                .left(memberID: "unknown", cause: .left),
            ])
        #expect(
            merged.entries.map(\.change) == [
                .joined(carl, replacing: nil, takesHost: false),
                .renamed(memberID: "carl", name: "Karl"),
                .left(memberID: "anna", cause: .disconnected),
            ])
        #expect(Set(merged.control.members.keys) == ["bert", "carl"])
    }

    @Test("hands the host over only where there is none")
    func host() throws {
        let carl = Fixture.member("carl")
        let withHost = merge(
            state(), [.hostHandedOver(memberID: "bert")])
        #expect(withHost.control.hostID == "anna")
        let orphaned = state([.left(memberID: "anna", cause: .swept)])
        #expect(
            merge(orphaned, [.joined(carl, replacing: nil, takesHost: true)]).control.hostID
                == "carl")
        #expect(
            merge(orphaned, [.hostHandedOver(memberID: "bert")]).control.hostID == "bert")
    }

    @Test("says nothing of members once their instance was declared dead")
    func fenced() throws {
        let merged = merge(
            state(),
            [
                .joined(Fixture.member("carl"), replacing: nil, takesHost: false),
                try Fixture.update("c", "new"), .left(memberID: "anna", cause: .left),
            ], isFenced: true)
        #expect(merged.entries.map(\.id) == ["m1"])
    }

    @Test("raises the version where nothing else does, without a visible change")
    func rises() throws {
        let state = state()
        let merged = merge(state, [.left(memberID: "unknown", cause: .left)])
        #expect(merged.entries.map(\.change) == [.renamed(memberID: "", name: "")])
        #expect(merged.control.members == state.control.members)
        let above = RoomMerge(state, missing: [], since: 10, above: 19, isFenced: false)
        #expect(above.entries.isEmpty)
        let level = RoomMerge(state, missing: [], since: 10, above: 20, isFenced: false)
        #expect(level.entries.count == 1)
    }
}
