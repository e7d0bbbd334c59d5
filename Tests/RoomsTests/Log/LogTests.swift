import JSON
import TestKit
import Testing

@testable import Rooms

@Suite("The hold-back queue")
struct EntrySequencerTests {
    private static func entry(_ version: Version, after previous: Version) -> VersionedEntry {
        VersionedEntry(
            version: version, previous: previous,
            entry: RoomEntry(id: "\(version)", change: .hostHandedOver(memberID: "m")))
    }

    @Test("entries in any order and more than once leave in order and once", arguments: 0..<200)
    func anyOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var log: [VersionedEntry] = []
        var previous: Version = 10
        for _ in 0..<40 {
            let version = previous + Version.random(in: 1...5, using: &random)
            log.append(Self.entry(version, after: previous))
            previous = version
        }
        var sequencer = EntrySequencer(applied: 10)
        var released: [VersionedEntry] = []
        for entry in (log + log.prefix(20)).shuffled(using: &random) {
            released += sequencer.receive([entry])
        }
        #expect(released == log, "seed \(seed)")
        #expect(!sequencer.hasGap)
    }

    @Test("a missing entry is a gap until it comes")
    func gap() {
        var sequencer = EntrySequencer(applied: 1)
        #expect(sequencer.receive([Self.entry(9, after: 5)]).isEmpty)
        #expect(sequencer.hasGap)
        #expect(sequencer.receive([Self.entry(5, after: 1)]).map(\.version) == [5, 9])
        #expect(!sequencer.hasGap)
    }

    @Test("a version heard of without its entry is a gap")
    func heardOf() {
        var sequencer = EntrySequencer(applied: 5)
        sequencer.heard(of: 5)
        #expect(!sequencer.hasGap)
        sequencer.heard(of: 8)
        #expect(sequencer.hasGap)
    }

    @Test("entries at or before a snapshot are dropped, later ones follow on")
    func reset() {
        var sequencer = EntrySequencer(applied: 1)
        _ = sequencer.receive([Self.entry(9, after: 7), Self.entry(12, after: 9)])
        #expect(sequencer.reset(to: 9).map(\.version) == [12])
    }
}

@Suite("The version clock")
struct VersionClockTests {
    @Test("versions rise, also when time stands still or the origin is absurd")
    func rises() {
        for origin in [Int64.min, -1, 0, 1_800_000_000_000, .max] {
            var clock = VersionClock(wallMilliseconds: origin)
            var last: Version = 0
            for step in 0..<1_000 {
                let next = clock.next(at: .milliseconds(step / 100))
                #expect(next > last)
                #expect(next < 1 << 53)
                last = next
            }
        }
    }

    @Test("an instance whose clock is behind runs with one that is ahead")
    func observes() {
        var ahead = VersionClock(wallMilliseconds: 5_000)
        var behind = VersionClock(wallMilliseconds: 1_000)
        behind.observe(ahead.next(at: .zero), at: .zero)
        let later = behind.next(at: .seconds(1))
        #expect(VersionClock.milliseconds(of: later) >= 6_000)
        #expect(ahead.next(at: .seconds(1)) <= later + VersionClock.unitsPerMillisecond)
    }

    @Test("a version from a broken clock does not end the numbers")
    func ceiling() {
        var clock = VersionClock(wallMilliseconds: 0)
        clock.observe(.max, at: .zero)
        let first = clock.next(at: .zero)
        #expect(clock.next(at: .zero) > first)
        #expect(first < 1 << 53)
    }
}

@Suite("Stored form")
struct RoomCodecTests {
    static let changes: [RoomEntry.Change] = [
        .created(
            creator: RoomBuilder.member("a", name: "Ana \"quoted\" ñ"), passwordHash: "scrypt$1",
            editor: SceneUpload(editorData: .emptyObject, hash: "ff")),
        .created(creator: RoomBuilder.member("a"), passwordHash: nil, editor: nil),
        .joined(RoomBuilder.member("b"), replacing: "a", takesHost: true),
        .joined(RoomBuilder.member("b"), replacing: nil, takesHost: false),
        .left(memberID: "b", cause: .swept),
        .left(memberID: "b", cause: .left, name: "Ana"),
        .away(memberID: "b", holder: "server-1#1"),
        .moved(memberID: "b", holder: "server-2#2"),
        .renamed(memberID: "b", name: "\u{1F600}\n"),
        .renamed(memberID: "b", name: "neu", from: "alt"),
        .hostHandedOver(memberID: "b"),
        .edited(.objectUpdate(uuid: "u", data: .emptyObject, changeType: "general"), by: "b"),
        .edited(.objectRemoval(uuid: "u"), by: "b"),
        .edited(.background(.null), by: "b"),
        .edited(.fog(.null), by: "b"),
        .edited(.scriptAdded(objectUUID: "u", script: .emptyObject), by: "b"),
        .edited(.scriptChanged(objectUUID: "u", script: .emptyObject), by: "b"),
        .edited(.scriptRemoved(objectUUID: "u", script: .emptyObject), by: "b"),
        .edited(.material(uuid: "u", data: .emptyObject), by: "b"),
        .edited(.replace(editorData: .emptyObject), by: "b"),
        .uploaded(SceneUpload(editorData: .emptyObject, hash: "0"), by: "b"),
        .deleted(by: "b"),
    ]

    @Test("every kind of entry comes back as it was written", arguments: changes)
    func roundTrip(change: RoomEntry.Change) throws {
        let entry = RoomEntry(id: "server-1#1-a.0", change: change)
        #expect(try RoomEntry(encoded: entry.encoded[...]) == entry)
        let moved = RoomEntry(id: entry.id, change: entry.change, madeAt: 1 << 52)
        #expect(try RoomEntry(encoded: moved.encoded[...]) == moved)
    }

    @Test("cut or altered entries are errors, never traps", arguments: changes)
    func damaged(change: RoomEntry.Change) {
        let bytes = RoomEntry(id: "x", change: change).encoded
        for length in 0..<bytes.count {
            #expect(throws: RoomCodecError.self) {
                try RoomEntry(encoded: bytes.prefix(length))
            }
        }
        for index in bytes.indices {
            var altered = bytes
            altered[index] = altered[index] ^ 0x15
            _ = try? RoomEntry(encoded: altered[...])
        }
    }

    @Test("a checkpoint with the entries after it gives the same room as the whole log")
    func checkpoint() throws {
        var room = RoomBuilder(password: "hash", editor: try .scene("one"))
        room.join("a", verified: "hash")
        room.run(.edit(.background(.null), by: "a"))
        let half = try RoomState(checkpoint: room.state.checkpoint()[...])
        #expect(half.control == room.control)
        let seen = room.log.count
        room.run(.rename(memberID: "a", name: "Ana"))
        room.run(.upload(try .scene("two"), by: "host", basedOn: room.state.version))
        room.run(.leave(memberID: "host", cause: .disconnected))
        var caughtUp = half
        for entry in room.log.dropFirst(seen) { caughtUp.fold(entry) }
        #expect(caughtUp.control == room.control)
        #expect(caughtUp.scene.editorData() == room.state.scene.editorData())
    }

    @Test("a damaged checkpoint is an error, never a trap")
    func damagedCheckpoint() throws {
        let bytes = RoomBuilder(editor: try .scene("one")).state.checkpoint()
        for length in stride(from: 0, to: bytes.count, by: 3) {
            #expect(throws: RoomCodecError.self) {
                try RoomState(checkpoint: bytes.prefix(length))
            }
        }
    }

    @Test(
        "a stored time beyond all clocks is refused before anything is reckoned with it",
        arguments: [Int64.min, -1, 1 << 54, .max])
    func absurdTimes(time: Int64) throws {
        let member = Member(id: "a", name: "n", credential: "c", holder: "h", joinedAt: time)
        let joined = RoomEntry(
            id: "1", change: .joined(member, replacing: nil, takesHost: false))
        #expect(throws: RoomCodecError(field: "joined")) {
            try RoomEntry(encoded: joined.encoded[...])
        }
        var control = RoomControl(id: "room", epoch: 1)
        control.passwordHash = "hash"
        control.authorised = ["c": time]
        let read = try RoomControl(StoredObject(control.json.json, "room"))
        #expect(read.authorised == ["c": 0])
        control.hostAbsentSince = time
        #expect(throws: RoomCodecError(field: "hostAbsentSince")) {
            try RoomControl(StoredObject(control.json.json, "room"))
        }
    }

    @Test("a summary tells what lists need, and comes back as it was written")
    func summary() throws {
        var room = RoomBuilder(password: "hash", editor: try .scene("one"))
        room.join("a", holder: "server-2#2", verified: "hash")
        let summary = RoomSummary(room.control)
        #expect(summary.userCount == 2)
        #expect(summary.isProtected && summary.hasEditor)
        #expect(summary.holders == ["server-1#1": 1, "server-2#2": 1])
        #expect(try RoomSummary(encoded: summary.encoded[...]) == summary)
    }
}

@Suite("What people type")
struct RoomRulesTests {
    @Test("names are trimmed, stripped, cut, and never empty")
    func names() {
        #expect(RoomRules.displayName("  Ana  ") == "Ana")
        #expect(RoomRules.displayName("<b>\"O'Neil\" & co</b>") == "bONeil  co/b")
        #expect(RoomRules.displayName(nil) == "Anónimo")
        #expect(RoomRules.displayName(" <> ") == "Anónimo")
        #expect(RoomRules.displayName(String(repeating: "x", count: 99)).count == 30)
        let stacked = "a" + String(repeating: "\u{301}", count: 10_000)
        #expect(RoomRules.displayName(stacked).unicodeScalars.count <= 120)
    }

    @Test("room ids are 3 to 50 of the allowed characters (C9)")
    func roomIDs() {
        for id in ["abc", "Sala_Grande-01", String(repeating: "x", count: 50)] {
            #expect(RoomRules.isValidRoomID(id))
        }
        for id in [
            "", "ab", String(repeating: "x", count: 51), "a b c", "sala:1", "añb", "a\nb", "*",
        ] {
            #expect(!RoomRules.isValidRoomID(id))
        }
    }
}
