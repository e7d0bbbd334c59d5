import NIOCore
import NIOPosix
import Rooms
import Testing

@testable import RoomStore

/// One instance or two that lose the shared store and get it back.
@Suite("A fallback store")
struct FallbackTests {
    let shared = MemoryRoomStore.sharedByAll()

    private func expectAgreement(
        _ replicas: [Replica], _ room: String = "room",
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let stored = try #require(try await shared.stored(room), sourceLocation: sourceLocation)
        let expected = try stored.state(room).checkpoint()
        for replica in replicas {
            try await eventually("\(replica.origin) is at the head") {
                try await replica.version == stored.head
            }
            let view = try await replica.view()
            let isSame = view.state?.checkpoint() == expected
            #expect(isSame, sourceLocation: sourceLocation)
            #expect(!view.hasGoneBack, sourceLocation: sourceLocation)
            #expect(
                Set(view.delivered).count == view.delivered.count, "nothing comes twice",
                sourceLocation: sourceLocation)
        }
    }

    @Test("goes on in memory and brings what it took to the store, at the versions it had")
    func appends() async throws {
        let instance = Instance("one", over: shared)
        let replica = instance.replica()
        try await replica.create()
        #expect(try await replica.edit("a", "1").isDurable == true)
        instance.cut()
        for index in 0..<20 {
            #expect(try await replica.edit("b\(index)", "2").isDurable == false)
        }
        #expect(instance.store.state.isDurable == false)
        #expect(instance.store.counts.localEntries == 20)
        #expect(try await instance.store.load("room").value()?.head == replica.version)
        instance.heal()
        try await instance.isDurable()
        #expect(try await replica.edit("c", "3").isDurable == true)
        #expect(shared.logIDs() == (1...23).map { "one-\($0)" })
        try await expectAgreement([replica])
        #expect(try await replica.view().snapshots == 0)
        #expect(instance.store.counts.localBytes == 0)
        #expect(instance.store.counts.appendedRooms == 1)
    }

    @Test("reconciles a room once more that was asked for as its reconciliation ended")
    func askedForAtTheEnd() async throws {
        let instance = Instance("one", over: shared)
        let replica = instance.replica()
        try await replica.create()
        let store = instance.store
        // As one that has ended but for the last step: nothing else can begin.
        let last = store.eventLoop.makePromise(of: Void.self)
        let (isPending, isAgain) = store.rooms.withLockedValue { rooms in
            _ = rooms.mustReconcile("room")
            _ = rooms.begin("room")
            _ = rooms.end("room", .done(.again))
            rooms.isReconciled("room")
            let before = rooms.isAskedForAgain("room")
            return (before, rooms.mustReconcile("room") && rooms.isAskedForAgain("room"))
        }
        #expect(!isPending && isAgain)
        let job = store.reconciler.reconcile("room", { _ in last.futureResult }) {
            store.reconciliationEnded("room")
        }
        store.reconcileSoon("room")
        #expect(store.state.isDurable == false)
        last.succeed()
        try await job.value()
        try await instance.isDurable()
    }

    @Test("does not commit twice what was applied though its reply was lost")
    func lostReply() async throws {
        let instance = Instance("one", over: shared)
        let replica = instance.replica()
        try await replica.create()
        instance.line.line = .losesReplies
        #expect(try await replica.edit("a", "1").isDurable == false)
        instance.cut()
        #expect(try await replica.edit("b", "2").isDurable == false)
        instance.heal()
        try await instance.isDurable()
        #expect(shared.logIDs() == ["one-1", "one-2", "one-3"])
        try await expectAgreement([replica])
    }

    @Test("does not repeat a lost commit that others have built on")
    func lostReplyBehindOthers() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        one.line.line = .losesReplies
        #expect(try await left.edit("a", "1").isDurable == false)
        one.cut()
        #expect(try await right.edit("c", "3").isDurable == true)
        #expect(try await left.edit("b", "2").isDurable == false)
        one.heal()
        try await one.isDurable()
        let ids = shared.logIDs()
        #expect(Set(ids).count == ids.count)
        try await expectAgreement([left, right])
        let scene = try #require(try await left.view().state?.scene)
        for object in ["a", "b", "c"] { #expect(scene.contains(object)) }
    }

    @Test("restores its rooms to a store that came back empty, changed here or not")
    func restores() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        let idle = one.replica("idle")
        try await left.create()
        try await idle.create()
        try await idle.edit("i", "1")
        try await right.open()
        try await left.edit("a", "1")
        try await eventually("right has it") { try await right.version == left.version }
        one.cut()
        two.cut()
        try await left.edit("b", "2")
        shared.loseEverything()
        one.heal()
        two.heal()
        try await one.isDurable()
        try await two.isDurable()
        try await expectAgreement([left, right])
        try await expectAgreement([idle], "idle")
        #expect(try await right.view().state?.scene.contains("b") == true)
        #expect(try await idle.view().snapshots == 0)
        let list = try await two.store.summaries().value()
        #expect(Set(list.map(\.id)) == ["room", "idle"])
        #expect(try await right.edit("c", "3").isDurable == true)
        #expect(
            try await one.store.read(
                "idle", epoch: idle.view().state?.control.epoch ?? 0, after: 0
            ).value().count == 2, "the log is back too")
    }

    @Test("gives back the last entries to a store that came back without them")
    func olderStore() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        try await left.edit("a", "1")
        let older = shared.contents
        for index in 0..<5 { try await left.edit("b\(index)", "2") }
        try await eventually("right has it") { try await right.version == left.version }
        one.cut()
        two.cut()
        shared.contents = older
        two.heal()
        one.heal()
        #expect(try await right.edit("c", "3").isDurable == true)
        try await one.isDurable()
        try await two.isDurable()
        #expect(shared.logIDs() == (1...7).map { "one-\($0)" } + ["two-1"])
        try await expectAgreement([left, right])
        #expect(try await left.view().snapshots == 0)
    }

    @Test("puts its room in the place of one that is older than its memory of the log")
    func muchOlderStore() async throws {
        var limits = RoomStoreLimits()
        limits.tailEntries = 3
        let instance = Instance("one", over: shared, limits: limits)
        let replica = instance.replica()
        try await replica.create()
        let older = shared.contents
        for index in 0..<9 { try await replica.edit("b\(index)", "2") }
        instance.cut()
        try await replica.edit("c", "3")
        shared.contents = older
        instance.heal()
        try await instance.isDurable()
        try await expectAgreement([replica])
        #expect(instance.store.counts.restoredRooms == 1)
        #expect(try await replica.view().snapshots == 0)
    }

    @Test("does not let a store that lost data go on before it has them back")
    func staleCommit() async throws {
        let instance = Instance("one", over: shared)
        let replica = instance.replica()
        try await replica.create()
        let older = shared.contents
        try await replica.edit("a", "1")
        // Nobody has told the instance that the store is another one.
        shared.contents = older
        #expect(try await replica.edit("b", "2").isDurable == true)
        #expect(shared.logIDs() == ["one-1", "one-2", "one-3"])
        shared.loseEverything()
        #expect(try await replica.edit("c", "3").isDurable == true)
        try await expectAgreement([replica])
        #expect(try await replica.view().state?.scene.contains("a") == true)
    }

    @Test("merges rooms that both sides have changed")
    func merges() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        try await left.edit("both", "0")
        try await right.commit(
            .joined(Fixture.member("bert", of: "two"), replacing: nil, takesHost: false))
        try await eventually("left has it") { try await left.version == right.version }
        one.cut()
        try await left.edit("mine", "1")
        try await left.commit(
            .joined(Fixture.member("carl", of: "one"), replacing: nil, takesHost: false))
        try await left.commit(
            .joined(Fixture.member("brief", of: "one"), replacing: nil, takesHost: false))
        try await left.commit(.left(memberID: "brief", cause: .left))
        try await right.edit("theirs", "2")
        try await right.edit("both", "older")
        try await Task.sleep(for: .milliseconds(3))  // Versions tell milliseconds apart.
        try await left.edit("both", "newer")
        #expect(try await left.view().state?.scene.contains("theirs") == false)
        one.heal()
        try await one.isDurable()
        try await expectAgreement([left, right])
        let state = try #require(try await right.view().state)
        #expect(state.scene.contains("mine") && state.scene.contains("theirs"))
        #expect(state.scene.editorData()?.text.contains(#""name":"newer""#) == true)
        #expect(Set(state.control.members.keys) == ["anna", "bert", "carl"])
        #expect(try await left.view().snapshots == 1)
        #expect(try await right.view().snapshots == 0)
        #expect(one.store.counts.mergedRooms == 1)
        let summary = try await shared.summaries().value().first
        #expect(summary?.userCount == 3)
        #expect(summary?.version == state.version)
    }

    @Test("merges the edits of a fenced instance and says nothing of its members")
    func fencedMerge() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        one.cut()
        try await left.edit("mine", "1")
        try await left.commit(
            .joined(Fixture.member("carl", of: "one"), replacing: nil, takesHost: false))
        shared.fence("one")
        try await right.commit(.left(memberID: "anna", cause: .swept))
        one.heal()
        try await one.isDurable()
        let state = try #require(try await shared.stored()?.state())
        #expect(state.scene.contains("mine"))
        #expect(state.control.members.isEmpty)
        #expect(try await left.commit(Fixture.update("late", "1")) == .fenced)
    }

    @Test(
        "keeps the copy of a fenced instance until the store has the room",
        arguments: [false, true])
    func fencedCopy(isReconciling: Bool) async throws {
        let instance = Instance("one", over: shared)
        let (replica, store) = (instance.replica(), instance.store)
        try await replica.create()
        try await replica.edit("a", "1")
        shared.loseEverything()
        let copy = try #require(
            try await replica.eventLoop.submit { replica.currentCheckpoint() }.value())
        if isReconciling {
            _ = store.rooms.withLockedValue { $0.begin("room") }
            let under = store.eventLoop.makePromise(of: Void.self)
            let job = store.reconciler.reconcile("room", { _ in under.futureResult }) {
                store.reconciliationEnded("room")
            }
            store.unfollow("room", leaving: copy)
            _ = store.rooms.withLockedValue { $0.end("room", .done(.again)) }
            under.succeed()
            try await job.value()
        } else {
            store.unfollow("room", leaving: copy)
        }
        try await instance.isDurable()
        let state = try #require(try await shared.stored()?.state())
        #expect(state.scene.contains("a"))
        #expect(store.rooms.withLockedValue { $0.records.isEmpty })
        #expect(store.counts.localBytes == 0)
    }

    @Test("leaves a room as it is that has gone on without a fenced instance")
    func fencedCopyOfALivingRoom() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        let copy = try #require(
            try await left.eventLoop.submit { left.currentCheckpoint() }.value())
        try await right.commit(.left(memberID: "anna", cause: .swept))
        try await right.edit("a", "1")
        let before = try await shared.stored()?.head
        one.store.unfollow("room", leaving: copy)
        try await one.isDurable()
        #expect(try await shared.stored()?.head == before)
        #expect(one.store.rooms.withLockedValue { $0.records.isEmpty })
    }

    @Test("gives members a higher version even if the store's own entries all win")
    func versionsRise() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        one.cut()
        try await left.edit("x", "left")
        try await Task.sleep(for: .milliseconds(5))
        try await right.edit("x", "right")
        // The left clock runs ahead: its members have seen a higher number.
        one.clock.observe(try await right.version + 1_000_000)
        try await left.commit(.renamed(memberID: "nobody", name: "n"))
        let seen = try await left.version
        one.heal()
        try await one.isDurable()
        try await expectAgreement([left, right])
        #expect(try await left.version > seen)
    }

    @Test("makes rooms while the store is away, one of a name in the end")
    func localCreation() async throws {
        let (one, two) = (
            Instance("one", over: shared, startsAway: true),
            Instance("two", over: shared, startsAway: true)
        )
        let (early, late) = (one.replica(), two.replica())
        #expect(try await early.create() != .exists)
        try await early.edit("a", "1")
        try await Task.sleep(for: .milliseconds(5))
        #expect(try await late.create() != .exists)
        #expect(try await two.store.create(Fixture.creation()).value() == .exists)
        try await late.edit("b", "1")
        two.heal()
        try await two.isDurable()
        one.heal()
        try await one.isDurable()
        try await expectAgreement([early])
        #expect(try await early.view().state?.scene.contains("b") == false)
        try await eventually("the later room has ended") { try await late.view().hasEnded }
        let list = try await two.store.summaries().value()
        #expect(list.map(\.epoch) == [try await early.view().state?.control.epoch])
    }

    @Test("does not bring back a room that was deleted meanwhile")
    func deletedMeanwhile() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        one.cut()
        try await left.edit("a", "1")
        let state = try #require(try await right.view().state)
        let batch = Fixture.batch(
            epoch: state.control.epoch, origin: "two", [Fixture.entry("d", .deleted(by: "anna"))],
            expected: state.version)
        guard case .committed = try await two.store.delete(batch).value() else {
            Issue.record("not deleted")
            return
        }
        one.heal()
        try await one.isDurable()
        #expect(try await shared.stored() == nil)
        try await eventually("left has ended") { try await left.view().hasEnded }
    }

    @Test("deletes in the store what was deleted here, unless others went on with it")
    func localDeletion() async throws {
        for othersEdit in [false, true] {
            let shared = MemoryRoomStore.sharedByAll()
            let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
            let (left, right) = (one.replica(), two.replica())
            try await left.create()
            try await right.open()
            one.cut()
            try await left.edit("a", "1")
            if othersEdit { try await right.edit("b", "1") }
            let state = try #require(try await left.view().state)
            let batch = Fixture.batch(
                epoch: state.control.epoch, [Fixture.entry("d", .deleted(by: "anna"))],
                expected: state.version, conditional: true)
            #expect(try await one.store.delete(batch).value().isDurable == false)
            #expect(try await one.store.load("room").value() == nil)
            #expect(try await one.store.commit(batch).value() == .noRoom)
            #expect(try await one.store.summaries().value().isEmpty)
            try await eventually("left has ended") { try await left.view().hasEnded }
            one.heal()
            try await one.isDurable()
            #expect((try await shared.stored() != nil) == othersEdit)
            #expect(one.store.counts.keptRooms == (othersEdit ? 1 : 0))
        }
    }

    @Test("refuses more than it may hold in memory")
    func bounded() async throws {
        var limits = RoomStoreLimits()
        limits.localBytes = 4_000
        let instance = Instance("one", over: shared, limits: limits)
        let replica = instance.replica()
        try await replica.create()
        instance.cut()
        var accepted = 0
        await #expect(throws: RoomStoreError.refusesWrites(code: "STORAGE_UNAVAILABLE")) {
            for index in 0..<100 {
                try await replica.edit("a\(index)", "1")
                accepted += 1
            }
        }
        #expect((5...20).contains(accepted))
        instance.heal()
        try await instance.isDurable()
        #expect(try await replica.edit("after", "1").isDurable == true)
        #expect(shared.logIDs().count == accepted + 2)
    }

    @Test("reads from a store that only refuses writes")
    func refusedWrites() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let replica = one.replica()
        try await replica.create()
        for instance in [one, two] {
            instance.line.line = .refuses("OOM")
            instance.store.sharedStore(is: .readOnly("out_of_memory"))
        }
        #expect(try await replica.edit("a", "1").isDurable == false)
        #expect(try await two.store.load("room").value()?.head != nil)
        let late = two.replica()
        try await late.open()
        #expect(try await late.edit("b", "1").isDurable == false)
        one.heal()
        two.heal()
        try await one.isDurable()
        try await two.isDurable()
        try await expectAgreement([replica, late])
        #expect(try await replica.view().state?.scene.contains("b") == true)
    }

    @Test("comes to an end also when the store fails again and again meanwhile")
    func flapping() async throws {
        let (one, two) = (Instance("one", over: shared), Instance("two", over: shared))
        let (left, right) = (one.replica(), two.replica())
        try await left.create()
        try await right.open()
        let lines: [FlakyStore.Line] = [.losesReplies, .cut, .up, .losesReplies, .up]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, replica) in [left, right].enumerated() {
                group.addTask {
                    for edit in 0..<60 { try await replica.edit("o\(index).\(edit)", "x") }
                }
            }
            group.addTask {
                for round in 0..<20 {
                    one.line.line = lines[round % lines.count]
                    if round % 3 == 0 { one.store.connectionIsNew() }
                    try await Task.sleep(for: .milliseconds(7))
                }
            }
            try await group.waitForAll()
        }
        one.heal()
        one.store.connectionIsNew()
        try await one.isDurable()
        let ids = shared.logIDs()
        #expect(Set(ids).count == ids.count)
        try await expectAgreement([left, right])
        let scene = try #require(try await left.view().state?.scene)
        for index in 0..<2 {
            for edit in 0..<60 { #expect(scene.contains("o\(index).\(edit)")) }
        }
    }

    @Test("waits at start until it knows whether there is a store")
    func start() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let line = FlakyStore(shared)
        var patient = RoomStoreLimits()
        patient.startWait = .seconds(60)
        let store = FallbackRoomStore(
            shared: line, group: group, eventLoop: group.next(), limits: patient)
        let early = store.create(try Fixture.creation())
        try await Task.sleep(for: .milliseconds(50))
        #expect(try await shared.stored() == nil)
        store.sharedStore(is: .full)
        guard case .created(_, durable: true) = try await early.value() else {
            Issue.record("not created in the shared store")
            return
        }
        var limits = RoomStoreLimits()
        limits.startWait = .milliseconds(20)
        let alone = FallbackRoomStore(
            shared: line, group: group, eventLoop: group.next(), limits: limits)
        guard
            case .created(_, durable: false) = try await alone.create(
                Fixture.creation("other")
            ).value()
        else {
            Issue.record("not created in memory")
            return
        }
        await #expect(throws: RoomStoreError.self) { try await alone.load("unknown").value() }
    }

    @Test("tells of its state as it changes")
    func states() async throws {
        let instance = Instance("one", over: shared)
        let replica = instance.replica()
        try await replica.create()
        let (states, continuation) = AsyncStream<FallbackState>.makeStream()
        instance.store.onStateChange { continuation.yield($0) }
        var iterator = states.makeAsyncIterator()
        #expect(await iterator.next() == .durable)
        instance.cut()
        guard case .local(_, "cut") = await iterator.next() else {
            Issue.record("not local")
            return
        }
        try await replica.edit("a", "1")
        instance.heal()
        // One room may be brought back before anybody looks.
        var next = await iterator.next()
        if next == .reconciling(pending: 1) { next = await iterator.next() }
        #expect(next == .durable)
        #expect(instance.store.pendingRooms == 0)
    }
}
