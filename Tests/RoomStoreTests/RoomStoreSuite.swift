import NIOCore
import RoomStore
import Rooms
import Testing

/// The contract of `RoomStore`, the same for every implementation.
@Suite("Every room store", .serialized)
struct RoomStoreSuite {
    @Test("creates a room that loads as it was made", arguments: StoreKind.allCases)
    func createAndLoad(_ kind: StoreKind) async throws {
        try await withStores(kind) { cluster in
            let store = cluster.stores[0]
            #expect(try await store.load("room").value() == nil)
            let request = try Fixture.creation(proposed: 5_000, padding: 10)
            let outcome = try await store.create(request).value()
            #expect(outcome == .created(epoch: 5_000, durable: true))
            let stored = try #require(try await store.load("room").value())
            #expect(stored.epoch == 5_000)
            #expect(stored.head == 5_000)
            #expect(stored.checkpoint == nil)
            #expect(
                stored.entries
                    == [VersionedEntry(version: 5_000, previous: 0, entry: request.entries[0])])
            let summary = try #require(try await store.summaries().value().first)
            #expect(summary.id == "room")
            #expect(summary.epoch == 5_000)
            #expect(summary.version == 5_000)
        }
    }

    @Test("gives a room to one of fifty creators", arguments: StoreKind.allCases)
    func oneWinner(_ kind: StoreKind) async throws {
        try await withStores(kind, instances: 2) { cluster in
            let futures = try (0..<50).map { index in
                cluster.stores[index % 2].create(
                    try Fixture.creation(origin: "i\(index)", id: "c\(index)"))
            }
            var winners: [Int] = []
            for (index, future) in futures.enumerated() {
                let outcome = try await future.value()
                if outcome != .exists { winners.append(index) }
            }
            #expect(winners.count == 1)
            let stored = try #require(try await cluster.stores[1].load("room").value())
            #expect(stored.entries.map(\.entry.id) == winners.map { "c\($0)" })
        }
    }

    @Test("appends batches with rising versions that name the one before")
    func commits() async throws {
        for kind in StoreKind.allCases {
            try await withStores(kind) { cluster in
                let store = cluster.stores[0]
                let epoch = try await store.create(try Fixture.creation()).value().epoch
                let first = try await store.commit(
                    Fixture.batch(
                        epoch: epoch, [Fixture.entry("a"), Fixture.entry("b")], proposed: 7_000,
                        expected: epoch)
                ).value()
                #expect(first == .committed(previous: epoch, first: 7_000, durable: true))
                let second = try await store.commit(
                    Fixture.batch(epoch: epoch, [Fixture.entry("c")], proposed: 1, expected: 7_001)
                ).value()
                #expect(second == .committed(previous: 7_001, first: 7_002, durable: true))
                let read = try await store.read("room", epoch: epoch, after: epoch).value()
                #expect(
                    read
                        == .entries([
                            VersionedEntry(
                                version: 7_000, previous: epoch, entry: Fixture.entry("a")),
                            VersionedEntry(
                                version: 7_001, previous: 7_000, entry: Fixture.entry("b")),
                            VersionedEntry(
                                version: 7_002, previous: 7_001, entry: Fixture.entry("c")),
                        ]))
                let summary = try #require(try await store.summaries().value().first)
                #expect(summary.version == 7_002)
                #expect(summary.userCount == 7)
            }
        }
    }

    @Test("refuses what was decided on another head", arguments: StoreKind.allCases)
    func conflict(_ kind: StoreKind) async throws {
        try await withStores(kind) { cluster in
            let store = cluster.stores[0]
            let epoch = try await store.create(try Fixture.creation()).value().epoch
            let head = try await store.commit(
                Fixture.batch(epoch: epoch, [Fixture.entry("a")], expected: epoch)
            ).value().first
            let refused = try await store.commit(
                Fixture.batch(
                    epoch: epoch, [Fixture.entry("b")], expected: epoch, conditional: true)
            ).value()
            #expect(refused == .conflict(head: head))
            let passed = try await store.commit(
                Fixture.batch(epoch: epoch, [Fixture.entry("b")], expected: epoch)
            ).value()
            #expect(passed == .committed(previous: head, first: head + 1, durable: true))
            let summary = try #require(try await store.summaries().value().first)
            #expect(summary.version == head + 1, "the list tells of every entry")
            #expect(summary.userCount == 7)
        }
    }

    @Test("does nothing for a fenced incarnation", arguments: StoreKind.allCases)
    func fence(_ kind: StoreKind) async throws {
        try await withStores(kind) { cluster in
            let store = cluster.stores[0]
            let epoch = try await store.create(try Fixture.creation()).value().epoch
            #expect(try await cluster.leases.fence("two", beat: nil).value())
            let batch = Fixture.batch(
                epoch: epoch, origin: "two", [Fixture.entry("a")], expected: epoch)
            #expect(try await store.commit(batch).value() == .fenced)
            #expect(try await store.delete(batch).value() == .fenced)
            let creation = try Fixture.creation("other", origin: "two")
            #expect(try await store.create(creation).value() == .fenced)
            let head = try await store.load("room").value()?.head
            #expect(head == epoch)
            #expect(try await store.load("other").value() == nil)
        }
    }

    @Test("removes everything of a room, and a later one of its name is another")
    func deletion() async throws {
        for kind in StoreKind.allCases {
            try await withStores(kind, instances: 2) { cluster in
                let (store, other) = (cluster.stores[0], cluster.stores[1])
                let replica = Replica(other, origin: "two")
                let epoch = try await store.create(try Fixture.creation()).value().epoch
                try await replica.open()
                let batch = Fixture.batch(
                    epoch: epoch, [Fixture.entry("d", .deleted(by: "anna"))], expected: epoch,
                    conditional: true)
                guard case .committed = try await store.delete(batch).value() else {
                    Issue.record("not deleted")
                    return
                }
                #expect(try await store.load("room").value() == nil)
                #expect(try await store.summaries().value().isEmpty)
                #expect(try await store.delete(batch).value() == .noRoom)
                try await eventually("the follower hears of it") {
                    try await replica.view().hasEnded
                }
                let again = try await store.create(
                    try Fixture.creation(id: "again", proposed: 1)
                ).value().epoch
                #expect(again > epoch, "an epoch never comes twice")
                let late = Fixture.batch(epoch: epoch, [Fixture.entry("late")], expected: epoch)
                #expect(try await store.commit(late).value() == .noRoom)
                #expect(try await store.read("room", epoch: epoch, after: 0).value() == .noRoom)
                let stored = try #require(try await store.load("room").value())
                #expect(stored.entries.map(\.entry.id) == ["again"])
            }
        }
    }

    @Test("brings every follower to the same log, whoever commits", arguments: StoreKind.allCases)
    func totalOrder(_ kind: StoreKind) async throws {
        try await withStores(kind, instances: 3) { cluster in
            let replicas = cluster.stores.enumerated().map { index, store in
                Replica(store, origin: "i\(index)")
            }
            try await replicas[0].create()
            for replica in replicas.dropFirst() { try await replica.open() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, replica) in replicas.enumerated() {
                    for edit in 0..<100 {
                        group.addTask { try await replica.edit("o\(edit % 7)", "\(index).\(edit)") }
                    }
                }
                try await group.waitForAll()
            }
            let stored = try #require(try await cluster.stores[0].load("room").value())
            let ids = stored.entries.map(\.entry.id)
            #expect(ids.count == 301)
            #expect(Set(ids).count == 301)
            for (before, entry) in zip(stored.entries, stored.entries.dropFirst()) {
                #expect(entry.previous == before.version)
            }
            let expected = try stored.state().checkpoint()
            for replica in replicas {
                try await eventually("all are at the head") {
                    try await replica.version == stored.head
                }
                let view = try await replica.view()
                #expect(view.delivered == ids.suffix(view.delivered.count))
                #expect(view.delivered.count >= 300)
                #expect(view.state?.checkpoint() == expected)
                #expect(view.snapshots == 0)
            }
        }
    }

    @Test("keeps the newest checkpoint and tells readers of a trimmed log")
    func checkpoints() async throws {
        for kind in StoreKind.allCases {
            try await withStores(kind) { cluster in
                let store = cluster.stores[0]
                let replica = Replica(store)
                let epoch = try await replica.create().epoch
                for index in 0..<10 { try await replica.edit("o\(index)", "x") }
                let middle = try #require(
                    try await replica.eventLoop.submit { replica.currentCheckpoint() }.value())
                for index in 10..<20 { try await replica.edit("o\(index)", "x") }
                let last = try #require(
                    try await replica.eventLoop.submit { replica.currentCheckpoint() }.value())

                try await store.save(middle, of: "room", trimBefore: 0).value()
                var stored = try #require(try await store.load("room").value())
                #expect(stored.checkpoint == middle.bytes)
                #expect(stored.entries.count == 10)
                #expect(try stored.state().checkpoint() == last.bytes)
                #expect(
                    try await store.read("room", epoch: epoch, after: epoch).value().count == 20)

                try await store.save(last, of: "room", trimBefore: middle.version + 1).value()
                #expect(
                    try await store.read("room", epoch: epoch, after: epoch).value() == .trimmed)
                #expect(
                    try await store.read("room", epoch: epoch, after: middle.version).value().count
                        == 10)
                #expect(
                    try await store.read("room", epoch: epoch, after: last.version).value().count
                        == 0)

                try await store.save(middle, of: "room", trimBefore: last.version + 9).value()
                stored = try #require(try await store.load("room").value())
                #expect(stored.checkpoint == last.bytes, "an older checkpoint changes nothing")

                try await replica.edit("later", "x")
                let end = try #require(
                    try await replica.eventLoop.submit { replica.currentCheckpoint() }.value())
                try await store.save(end, of: "room", trimBefore: end.version + 1_000).value()
                try await replica.edit("after", "x")
                stored = try #require(try await store.load("room").value())
                #expect(stored.entries.count == 1)
                let state = try stored.state()
                #expect(state.scene.contains("o3") && state.scene.contains("after"))
            }
        }
    }

    @Test("drops what is behind the checkpoint beyond its limit", arguments: StoreKind.allCases)
    func logLimit(_ kind: StoreKind) async throws {
        var limits = LogLimits()
        limits.bytes = 3_000
        try await withStores(kind, logLimits: limits) { cluster in
            let store = cluster.stores[0]
            let replica = Replica(store)
            let epoch = try await replica.create().epoch
            for index in 0..<40 { try await replica.edit("o\(index)", "x") }
            let checkpoint = try #require(
                try await replica.eventLoop.submit { replica.currentCheckpoint() }.value())
            try await store.save(checkpoint, of: "room", trimBefore: 0).value()
            #expect(try await store.read("room", epoch: epoch, after: epoch).value() == .trimmed)
            let stored = try #require(try await store.load("room").value())
            #expect(try stored.state().checkpoint() == checkpoint.bytes)
        }
    }

    @Test("carries bodies of megabytes to followers by way of the log")
    func largeBodies() async throws {
        for kind in StoreKind.allCases {
            try await withStores(kind, instances: 2) { cluster in
                let one = Replica(cluster.stores[0], origin: "one")
                let two = Replica(cluster.stores[1], origin: "two")
                try await one.create(editor: try Fixture.upload(padding: 1_000_000))
                try await two.open()
                let upload = try Fixture.upload(padding: 5_000_000)
                try await one.commit(.uploaded(upload, by: "anna"))
                try await one.edit("small", "x")
                let head = try await one.version
                try await eventually("the other has it") { try await two.version == head }
                let (left, right) = (try await one.view(), try await two.view())
                #expect(left.state?.checkpoint() == right.state?.checkpoint())
                #expect((right.state?.scene.approximateByteCount ?? 0) > 5_000_000)
            }
        }
    }

    @Test("reads a log of many pages in one piece", arguments: StoreKind.allCases)
    func pages(_ kind: StoreKind) async throws {
        var limits = RoomStoreLimits()
        limits.pageEntries = 7
        limits.pageBytes = 2_000
        try await withStores(kind, limits: limits) { cluster in
            let store = cluster.stores[0]
            let epoch = try await store.create(try Fixture.creation()).value().epoch
            let entries = (0..<50).map { Fixture.entry("e\($0)") }
            let first = try await store.commit(
                Fixture.batch(epoch: epoch, entries, expected: epoch)
            ).value().first
            let stored = try #require(try await store.load("room").value())
            #expect(stored.entries.map(\.entry.id) == ["c.0"] + entries.map(\.id))
            let read = try await store.read("room", epoch: epoch, after: first).value()
            #expect(read.count == 49)
            let unknown = try await store.read("room", epoch: epoch, after: first - 1).value()
            #expect(unknown == .entries([]) || unknown == .trimmed || first - 1 == epoch)
            #expect(try await store.read("room", epoch: epoch, after: .max).value() == .trimmed)
        }
    }

    @Test("says that it has older data than the committer", arguments: StoreKind.allCases)
    func behind(_ kind: StoreKind) async throws {
        guard kind != .fallback else { return }
        try await withStores(kind) { cluster in
            let store = cluster.stores[0]
            let epoch = try await store.create(try Fixture.creation()).value().epoch
            let batch = Fixture.batch(epoch: epoch, [Fixture.entry("a")], expected: epoch + 5)
            await #expect(throws: RoomStoreError.behind(head: epoch)) {
                try await store.commit(batch).value()
            }
        }
    }
}

extension LogRead {
    var count: Int? {
        if case .entries(let entries) = self { entries.count } else { nil }
    }
}
