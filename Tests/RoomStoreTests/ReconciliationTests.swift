import Rooms
import Testing

@testable import RoomStore

@Suite("Reconciliation")
struct ReconciliationTests {
    private typealias Ours = Reconciliation.Ours

    /// Entries named and numbered `1 2 3`, or `2:a 3:b` for versions with other ids.
    private func chain(_ text: String, after start: Version) -> [VersionedEntry] {
        var before = start
        return text.split(separator: " ").map { word in
            let parts = word.split(separator: ":")
            let version = Version(parts[0]) ?? 0
            defer { before = version }
            return VersionedEntry(
                version: version, previous: before,
                entry: RoomEntry(
                    id: String(parts.last ?? ""), change: .renamed(memberID: "", name: "")))
        }
    }

    private func ours(
        _ text: String, after start: Version, base: Version? = nil, fenced: Bool = false
    ) -> Ours {
        let chain = chain(text, after: start)
        let head = chain.last?.version ?? start
        return Ours(
            position: RoomPosition(epoch: 10, version: head), chain: chain, base: base ?? head,
            isFenced: fenced)
    }

    private func log(_ text: String, after start: Version) -> StoredLog {
        let chain = chain(text, after: start)
        return StoredLog(start: start, head: chain.last?.version ?? start, entries: chain)
    }

    private func stored(
        _ epoch: Version?, _ version: Version = 0, id: String = "", deleted: Version = 0
    ) -> StoredHead {
        StoredHead(
            position: epoch.map { RoomPosition(epoch: $0, version: version) }, lastID: id,
            deletedEpoch: deleted)
    }

    @Test("restores where there is nothing, unless the room was deleted")
    func nothingStored() {
        let ours = ours("11 12", after: 10)
        #expect(Reconciliation.compare(ours, with: stored(nil)) == .restore(replacing: nil))
        #expect(
            Reconciliation.compare(ours, with: stored(nil, deleted: 9)) == .restore(replacing: nil))
        #expect(Reconciliation.compare(ours, with: stored(nil, deleted: 10)) == .yield)
        #expect(Reconciliation.compare(ours, with: stored(nil, deleted: 11)) == .yield)
    }

    @Test("lets the older of two rooms of a name win, unless it was deleted")
    func otherEpoch() {
        let ours = ours("11 12", after: 10)
        #expect(Reconciliation.compare(ours, with: stored(9, 99)) == .yield)
        #expect(
            Reconciliation.compare(ours, with: stored(11, 99))
                == .restore(replacing: RoomPosition(epoch: 11, version: 99)))
        #expect(Reconciliation.compare(ours, with: stored(11, 99, deleted: 10)) == .yield)
    }

    @Test("does nothing where both stand at the same entry")
    func inStep() {
        #expect(
            Reconciliation.compare(ours("11 12", after: 10), with: stored(10, 12)) == .inStep)
        #expect(
            Reconciliation.compare(ours("11 12", after: 10), with: stored(10, 12, id: "12"))
                == .inStep)
        #expect(
            Reconciliation.compare(ours("11 12", after: 10), with: stored(10, 12, id: "x"))
                == .compareLogs(after: 10), "one number, two entries")
        #expect(
            Reconciliation.compare(ours("11 12", after: 10), with: log("11 12", after: 10))
                == .inStep)
        #expect(Reconciliation.compare(ours("", after: 12), with: log("", after: 12)) == .inStep)
    }

    @Test("asks for the log from where the lines can part")
    func logRange() {
        let local = ours("11 12 13", after: 10, base: 12)
        #expect(
            Reconciliation.compare(local, with: stored(10, 12)) == .compareLogs(after: 10))
        #expect(
            Reconciliation.compare(local, with: stored(10, 13)) == .compareLogs(after: 10))
        #expect(
            Reconciliation.compare(local, with: stored(10, 20)) == .compareLogs(after: 10))
    }

    @Test("follows a store that has gone on from where we are")
    func follows() {
        #expect(
            Reconciliation.compare(ours("11 12", after: 10), with: log("11 12 13", after: 10))
                == .follow(head: 13))
        #expect(
            Reconciliation.compare(ours("", after: 12), with: log("13 14", after: 12))
                == .follow(head: 14))
        // Trimmed past us: nothing says that the lines have parted.
        #expect(
            Reconciliation.compare(ours("", after: 12), with: log("21", after: 20))
                == .follow(head: 21))
    }

    @Test("counts what follows a merged entry as later than that was made, not than it was merged")
    func followersOfMergedEntries() throws {
        func edit(_ id: String, _ version: Version, after before: Version) throws -> VersionedEntry
        {
            VersionedEntry(
                version: version, previous: before,
                entry: RoomEntry(id: id, change: try Fixture.update("o", id)))
        }
        var ours = ours("11", after: 10, base: 10)
        ours.chain = [try edit("a", 11, after: 10), try edit("b", 13, after: 11)]
        ours.position.version = 13
        var theirs = [try edit("x", 12, after: 10), try edit("a", 20, after: 12)]
        theirs[1].entry.madeAt = 11
        let log = StoredLog(start: 10, head: 20, entries: theirs)
        guard case .merge(let missing, _, _) = Reconciliation.compare(ours, with: log) else {
            Issue.record("no merge")
            return
        }
        #expect(missing.map(\.version) == [13])
    }

    @Test("appends what follows on the last common entry")
    func appends() {
        let local = ours("11 12 13 14", after: 10, base: 12)
        #expect(
            Reconciliation.compare(local, with: log("", after: 12))
                == .append(chain("13 14", after: 12), at: RoomPosition(epoch: 10, version: 12)))
        // The first was applied, its reply lost.
        #expect(
            Reconciliation.compare(local, with: log("11 12 13", after: 10))
                == .append(chain("14", after: 13), at: RoomPosition(epoch: 10, version: 13)))
        // The store came back without what we have seen.
        #expect(
            Reconciliation.compare(ours("11 12 13", after: 10), with: log("11", after: 10))
                == .append(chain("12 13", after: 11), at: RoomPosition(epoch: 10, version: 11)))
        #expect(
            Reconciliation.compare(ours("11 12 13", after: 10), with: log("", after: 10))
                == .append(
                    chain("11 12 13", after: 10), at: RoomPosition(epoch: 10, version: 10)))
    }

    @Test("replaces a state older than all we remember of the log")
    func replaces() {
        #expect(
            Reconciliation.compare(ours("11 12", after: 10), with: log("", after: 7))
                == .restore(replacing: RoomPosition(epoch: 10, version: 7)))
    }

    @Test("merges what the other line does not have")
    func merges() {
        let local = ours("11 12 13 14", after: 10, base: 12)
        #expect(
            Reconciliation.compare(local, with: log("11 12 13:x", after: 10))
                == .merge(missing: chain("13 14", after: 12), since: 12, head: 13))
        // Known there by its id, at another version.
        #expect(
            Reconciliation.compare(local, with: log("11 12 15:x 16:13", after: 10))
                == .merge(missing: chain("14", after: 13), since: 12, head: 16))
        #expect(
            Reconciliation.compare(local, with: log("11 12 15:13 16:14", after: 10))
                == .merge(missing: [], since: 12, head: 16))
    }

    @Test("merges what is the same number, or the same entry behind another")
    func sameNumber() {
        #expect(
            Reconciliation.compare(
                ours("11 12 13", after: 10), with: log("11 12:x 13:y", after: 10))
                == .merge(missing: chain("12 13", after: 11), since: 11, head: 13))
        // 12 never came; 13 was put behind 11 here.
        #expect(
            Reconciliation.compare(ours("11 13", after: 10), with: log("11 12 13", after: 10))
                == .merge(missing: [], since: 11, head: 13))
    }

    @Test("brings over entries that hang loose")
    func loose() {
        var behind = ours("11 12", after: 10)
        behind.loose = chain("14", after: 13)
        #expect(
            Reconciliation.compare(behind, with: stored(10, 12, id: "12"))
                == .compareLogs(after: 10))
        #expect(
            Reconciliation.compare(behind, with: log("11 12", after: 10))
                == .merge(missing: chain("14", after: 13), since: 12, head: 12))
        #expect(
            Reconciliation.compare(behind, with: log("11 12 13 14", after: 10))
                == .follow(head: 14))
        // First what follows on the common line, the rest the next time.
        #expect(
            Reconciliation.compare(behind, with: log("11", after: 10))
                == .append(chain("12", after: 11), at: RoomPosition(epoch: 10, version: 11)))
    }

    @Test("brings over what was durable and is missing from another line")
    func restoredByAnother() {
        // The other instance restored at 11 and went on; we had seen 12 and 13 from the store.
        #expect(
            Reconciliation.compare(ours("11 12 13", after: 10), with: log("20:x", after: 11))
                == .mergeWhole(missing: chain("12 13", after: 11), since: 10, head: 20))
        // The same, where we do not remember as far back.
        #expect(
            Reconciliation.compare(ours("13", after: 12), with: log("20:x", after: 11))
                == .mergeWhole(missing: chain("13", after: 12), since: 11, head: 20))
        // Trimmed past us, and we have entries of our own.
        #expect(
            Reconciliation.compare(ours("13", after: 12, base: 12), with: log("31:x", after: 30))
                == .mergeWhole(missing: chain("13", after: 12), since: 12, head: 31))
        // We remember nothing, and their log leaps over where we stand.
        #expect(
            Reconciliation.compare(ours("", after: 12), with: log("20:x", after: 11))
                == .mergeWhole(missing: [], since: 11, head: 20))
    }

    @Test("does not append the memberships of a fenced instance")
    func fenced() {
        let local = ours("11 12", after: 10, base: 11, fenced: true)
        #expect(
            Reconciliation.compare(local, with: log("11", after: 10))
                == .merge(missing: chain("12", after: 11), since: 11, head: 11))
    }

    @Test("carries out a local deletion unless others have gone on")
    func deletions() {
        let deletion = Reconciliation.Deletion(epoch: 10, base: 12, ownIDs: ["13"])
        #expect(Reconciliation.carriesOut(deletion, on: log("", after: 12)))
        #expect(Reconciliation.carriesOut(deletion, on: log("13", after: 12)))
        #expect(!Reconciliation.carriesOut(deletion, on: log("13 14:x", after: 12)))
        #expect(!Reconciliation.carriesOut(deletion, on: log("", after: 20)))
        let sweep = VersionedEntry(
            version: 13, previous: 12,
            entry: RoomEntry(id: "s", change: .left(memberID: "anna", cause: .swept)))
        #expect(
            Reconciliation.carriesOut(
                deletion, on: StoredLog(start: 12, head: 13, entries: [sweep])))
    }
}
