import JSON
import RoomStore
import Rooms
import Testing

@testable import RoomService

/// A live room and its store: everything that a commit and the following of the log can meet.
@Suite struct CommitTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"

    private func uuids(_ messages: [TestClient.Message]) -> [String] {
        messages.filter { $0.name == updated }.compactMap { $0.payload["objectUuid"]?.string }
    }

    // MARK: Commit, then deliver

    @Test func nothingIsDeliveredOrAnsweredBeforeItIsCommitted() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.holding = [.commit]
        let ack = host.call(update, Scenes.update("a"))
        world.run()
        #expect(host.take().isEmpty && guest.take().isEmpty)
        world.store.release()
        world.run()
        let answer = host.next(ack)
        #expect(answer?["ok"]?.bool == true)
        let version = try #require(try world.stored()).version
        #expect(answer?["version"]?.int == Int64(version))
        let received = try #require(guest.next(updated))
        #expect(received["originUserId"]?.string == host.id)
        #expect(received["objectData"]?["object"]?["uuid"]?.string == "a")
        #expect(host.take().isEmpty)
    }

    @Test func whatComesInOneTickIsOneCommit() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        let before = world.store.batches.count
        for name in ["a", "b", "c"] { host.emit(update, Scenes.update(name)) }
        world.run()
        #expect(world.store.batches.dropFirst(before).map(\.entries.count) == [3])
        #expect(uuids(guest.take()) == ["a", "b", "c"])
    }

    @Test func whatComesDuringACommitGoesTogetherInTheNext() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.holding = [.commit]
        let before = world.store.batches.count
        host.emit(update, Scenes.update("a"))
        world.run()
        for name in ["b", "c"] { host.emit(update, Scenes.update(name)) }
        guest.emit(update, Scenes.update("d"))
        world.run()
        #expect(world.store.batches.count == before + 1)
        world.store.release()
        world.run()
        #expect(world.store.batches.dropFirst(before).map(\.entries.count) == [1, 3])
        #expect(uuids(guest.take()) == ["a", "b", "c"])
        #expect(uuids(host.take()) == ["d"])
    }

    @Test func aBatchIsBoundedInOperationsAndBytes() throws {
        var options = RoomServiceOptions()
        options.limits.batchOperations = 4
        options.limits.batchBytes = 2_000
        let world = try World(options: options)
        let host = try world.host()
        world.store.holding = [.commit]
        host.emit(update, Scenes.update("first"))
        world.run()
        for index in 0..<6 { host.emit(update, Scenes.update("a\(index)")) }
        let large = String(repeating: "x", count: 1_500)
        for index in 0..<2 { host.emit(update, Scenes.update("b\(index)", name: large)) }
        world.run()
        let before = world.store.batches.count
        world.store.release()
        world.run()
        let sizes = world.store.batches.dropFirst(before).map(\.entries.count)
        #expect(sizes.reduce(0, +) == 8)
        #expect(sizes.allSatisfy { $0 <= 4 } && sizes.suffix(2) == [1, 1])
    }

    @Test func whatWaitsForACommitIsBoundedInNumberAndBytes() throws {
        var options = RoomServiceOptions()
        options.limits.queuedOperations = 2
        let world = try World(options: options)
        let host = try world.host()
        world.store.holding = [.commit]
        var acks = [host.call(update, Scenes.update("a0"))]
        world.run()
        acks += (1..<4).map { host.call(update, Scenes.update("a\($0)")) }
        world.run()
        #expect(host.next(acks[3])?["error"]?["code"]?.string == "RATE_LIMITED")
        world.store.release()
        world.run()
        for ack in acks.prefix(3) { #expect(host.next(ack)?["ok"]?.bool == true) }

        options.limits.queuedOperations = 100
        options.limits.queuedBytes = 3_000
        let small = try World(options: options)
        let other = try small.host()
        small.store.holding = [.commit]
        let large = String(repeating: "x", count: 2_000)
        var answers = [other.call(update, Scenes.update("a0", name: large))]
        small.run()
        answers += (1..<3).map { other.call(update, Scenes.update("a\($0)", name: large)) }
        small.run()
        #expect(other.next(answers[2])?["error"]?["code"]?.string == "RATE_LIMITED")
        small.store.release()
        small.run()
        for ack in answers.prefix(2) { #expect(other.next(ack)?["ok"]?.bool == true) }
    }

    // MARK: Conflicts

    @Test func whatOthersCommittedMeanwhileIsTakenInAndTheOperationDecidedAgain() throws {
        let world = try World()
        let host = try world.host()
        world.store.losesNotices = true
        try world.joinElsewhere("stranger")
        let guest = try world.guest()
        let members = try #require(try world.stored()?.control.members.keys.sorted())
        #expect(members == [host.id, guest.id, "stranger"].sorted())
        #expect(world.service.roomMetrics.conflicts == 1)
        #expect(world.service.roomMetrics.gapReads == 1)
        #expect(try #require(world.live()).control.members.count == 3)
    }

    @Test func conflictsWithoutEndAreAnsweredAtLast() throws {
        let world = try World()
        let host = try world.host()
        let version = try #require(try world.stored()?.version)
        world.store.answers = Array(repeating: .conflict(head: version), count: 200)
        let ack = host.call("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        #expect(host.next(ack)?["error"]?["code"]?.string == "STORAGE_UNAVAILABLE")
    }

    @Test func whatStaysInTheQueueKeepsItsOrderWhenAnotherIsGivenUp() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        let version = try #require(try world.stored()?.version)
        world.store.answers = Array(repeating: .conflict(head: version), count: 101)
        world.store.holding = [.commit]
        host.emit(update, Scenes.update("a"))
        world.run()
        world.store.release()
        host.emit(update, Scenes.update("b"))
        host.emit(update, Scenes.update("c"))
        world.run()
        // "a" was alone in the first batch and ran out of attempts first.
        #expect(uuids(guest.take()) == ["b", "c"])
    }

    // MARK: Failures

    @Test func everyRequestIsAnsweredWhenTheStoreFails() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        world.store.failing = [
            .commit: .unavailable("away"), .delete: .unavailable("away"),
            .create: .unavailable("away"), .summaries: .unavailable("away"),
            .load: .unavailable("away"),
        ]
        let requests: [(String, String, String?)] = [
            (update, Scenes.update("b"), "editor-sync-error"),
            (
                "sync-editor-object-removal", #"{"roomId":"room","objectId":"a"}"#,
                "editor-sync-error"
            ),
            ("sync-full-editor", Scenes.upload(Scenes.editor("z")), "sync-full-editor-error"),
            (
                "user-name-change", #"{"roomId":"room","userName":"Neu"}"#,
                "editor-sync-error"
            ),
            ("get-rooms", "null", "rooms-list"),
            ("leave-room", #""room""#, "left-room"),
            ("delete-room", #"{"roomId":"room"}"#, "delete-room-failed"),
            ("delete-room", #"{"roomId":"other"}"#, "delete-room-failed"),
            ("create-room", #"{"roomId":"second"}"#, "room-creation-failed"),
        ]
        for (event, payload, failure) in requests {
            let ack = host.call(event, payload)
            world.advance(.seconds(1))
            let messages = host.take()
            #expect(messages.contains { $0.name == failure }, "\(event): \(messages)")
            let answer = messages.first { $0.name == ack }?.payload
            #expect(answer?["ok"]?.bool == false, "\(event): \(messages)")
        }
        #expect(world.service.roomMetrics.storeFailures >= 6)
        world.store.failing = [:]
        let ack = host.call(update, Scenes.update("b"))
        world.run()
        #expect(host.next(ack)?["ok"]?.bool == true)
    }

    @Test func aJoinWaitsSomeSecondsForTheStoreAndIsAnsweredWithinFive() throws {
        let world = try World()
        _ = try world.host()
        let guest = world.connect()
        world.store.failing = [.commit: .unavailable("away")]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.advance(.seconds(3))
        #expect(guest.take().isEmpty)
        world.advance(.seconds(2))
        #expect(guest.next("join-room-failed")?["code"]?.string == "JOIN_ERROR")
        world.store.failing = [:]
        world.advance(.seconds(3))
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func aJoinThatTheStoreDoesNotAnswerIsAnsweredWithinFiveSecondsAndThenTakenBack() throws {
        let world = try World()
        _ = try world.host()
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.advance(.seconds(5))
        #expect(guest.takeNames() == ["join-room-failed"])
        world.store.release()
        world.run()
        #expect(try world.stored()?.control.members.count == 1)
        #expect(world.service.counts.members == 1)
        guest.skip()
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(guest.next("joined-room") != nil)
    }

    @Test func aJoinWhoseAnswerWasLostIsWelcomedOnce() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        let held = try #require(world.store.takeHeld())
        world.store.holding = []
        held.loseAnswer()
        world.advance(.seconds(1))
        #expect(
            guest.takeNames() == [
                "joined-room", "receive-full-editor", "users-list", "user-count",
            ])
        #expect(host.takeNames().filter { $0 == "user-joined" }.count == 1)
        #expect(try world.stored()?.control.members.count == 2)
    }

    @Test func aJoinWhoseAnswerWasLostIsWelcomedAlsoIfItsEntryIsReadBeforeTheNextTry() throws {
        let world = try World()
        let host = try world.host()
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        try #require(world.store.takeHeld()).loseAnswer()
        world.store.holding = []
        world.loops[0].run()
        // Another's edit shows the gap; with it the lost entry comes in before the next try.
        try world.editElsewhere("x", by: "stranger")
        #expect(try #require(world.live()).control.members[guest.id] != nil)
        #expect(guest.take().isEmpty)
        world.advance(.seconds(1))
        #expect(guest.next("joined-room") != nil)
        guest.skip()
        host.emit(update, Scenes.update("b"))
        world.advance(.seconds(1))
        #expect(uuids(guest.take()) == ["b"])
    }

    @Test func aLeaveThatCannotBeStoredIsMadeUpFor() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest()
        world.store.failing = [.commit: .unavailable("away")]
        guest.vanish()
        world.advance(.seconds(2))
        #expect(try world.stored()?.control.members[guest.id] != nil)
        #expect(world.service.counts.members == 1)
        world.store.failing = [:]
        host.skip()
        world.advance(.seconds(3))
        #expect(try world.stored()?.control.members[guest.id] == nil)
        #expect(host.takeNames().prefix(3) == ["user-left", "users-list", "user-count"])
    }

    @Test func aRoomIsNotLetGoWhileTheStoreTakesTheLastMemberForPresent() throws {
        let world = try World()
        let host = try world.host()
        world.store.failing = [.commit: .unavailable("away")]
        host.vanish()
        world.advance(.seconds(20))
        #expect(world.live() != nil)
        world.store.failing = [:]
        world.advance(.seconds(3))
        #expect(try world.stored()?.control.members.isEmpty == true)
        world.advance(.seconds(10))
        #expect(world.live() == nil && world.store.followedRooms.isEmpty)
    }

    @Test func membersOfAnAttemptThatWasGivenUpGoAway() throws {
        let world = try World()
        _ = try world.host()
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        guest.vanish()
        try #require(world.store.takeHeld()).loseAnswer()
        world.store.holding = []
        world.advance(.seconds(8))
        #expect(try world.stored()?.control.members.count == 1)
    }

    // MARK: Checkpoints

    @Test func aCheckpointIsSavedWhenTheLogHasGrown() throws {
        var options = RoomServiceOptions()
        options.limits.checkpointBytes = 2_000
        let world = try World(options: options)
        let host = try world.host()
        let text = String(repeating: "x", count: 1_000)
        host.emit(update, Scenes.update("a", name: text))
        world.run()
        #expect(world.store.calls(.save) == 0)
        for _ in 0..<4 {
            host.emit(update, Scenes.update("a", name: text))
            world.run()
        }
        #expect(world.store.calls(.save) >= 1)
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func theFollowerLendsItsCopyAndItsPlace() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let live = try #require(world.live())
        let follower = try #require(world.store.follower(of: "room"))
        world.loops[0].perform {
            let copy = follower.currentCheckpoint()
            #expect(copy?.version == live.state.version && copy?.bytes == live.state.checkpoint())
            #expect(
                follower.currentPosition()
                    == RoomPosition(epoch: live.control.epoch, version: live.state.version))
        }
        try world.onRoom { $0.end(announcing: nil, deletedBy: nil) }
        world.loops[0].perform {
            #expect(live.currentCheckpoint() == nil && live.currentPosition() == nil)
        }
    }
}
