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

    @Test func whatComesDuringACommitGoesTogetherInTheNext() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.holding = [.commit]
        let before = world.store.batches.count
        for name in ["a", "b", "c"] { host.emit(update, Scenes.update(name)) }
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
        for index in 0..<7 { host.emit(update, Scenes.update("a\(index)")) }
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
        let acks = (0..<4).map { host.call(update, Scenes.update("a\($0)")) }
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
        let answers = (0..<3).map { other.call(update, Scenes.update("a\($0)", name: large)) }
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
        host.emit(update, Scenes.update("a"))
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

    // MARK: No room, deletion

    @Test func aRoomThatTheStoreDoesNotHaveEndsForAll() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.answers = [.noRoom]
        let first = host.call(update, Scenes.update("a"))
        let second = host.call(update, Scenes.update("b"))
        world.run()
        #expect(host.next("room-deleted")?["deletedByHost"]?.bool == false)
        #expect(guest.next("room-deleted")?["roomId"]?.string == "room")
        #expect(world.live() == nil)
        let late = host.call(update, Scenes.update("c"))
        world.run()
        let answers = host.take().filter { $0.name.hasPrefix("ack") }
        #expect(Set(answers.map(\.name)).isSubset(of: [first, second, late]))
        #expect(answers.allSatisfy { $0.payload["ok"]?.bool == false })
        guest.emit("leave-room", #""room""#)
        world.run()
        #expect(guest.next("left-room")?["success"]?.bool == true)
    }

    @Test func aDeletionElsewhereEndsTheRoomWhileACommitIsInFlight() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.holding = [.commit]
        let acks = ["a", "b"].map { host.call(update, Scenes.update($0)) }
        guest.emit("leave-room", #""room""#)
        world.run()
        let state = try #require(try world.stored())
        _ = world.other.delete(
            CommitBatch(
                room: "room", epoch: state.control.epoch, origin: World.otherIncarnation,
                entries: [RoomEntry(id: "x", change: .deleted(by: host.id))], proposed: 0,
                expected: state.version, conditional: true,
                summary: RoomSummary(state.control)))
        world.run()
        let messages = host.take()
        #expect(messages.first?.name == "room-deleted")
        #expect(messages.first?.payload["hostName"]?.string == "Hanna")
        for ack in acks {
            #expect(messages.first { $0.name == ack }?.payload["ok"]?.bool == false)
        }
        #expect(guest.next("left-room")?["success"]?.bool == true)
        world.store.release()
        world.run()
        #expect(host.take().allSatisfy { $0.name != updated } && world.live() == nil)
    }

    @Test func theHostDeletesTheRoomForAll() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        let lobby = world.connect()
        host.skip()
        let ack = host.call("delete-room", #"{"roomId":"room"}"#)
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == ["room-deleted", ack])
        #expect(messages[0].payload["hostName"]?.string == "Hanna")
        #expect(messages[1].payload["ok"]?.bool == true)
        #expect(guest.next("room-deleted") != nil && lobby.take().isEmpty)
        #expect(try world.stored() == nil)
        #expect(world.store.followedRooms.isEmpty)
        let again = try world.host()
        #expect(again.isConnected)
    }

    @Test func aGuestDeletesNothing() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest()
        let lobby = world.connect()
        for client in [guest, lobby] {
            client.emit("delete-room", #"{"roomId":"room"}"#)
            world.run()
            #expect(client.next("delete-room-failed")?["code"]?.string == "NOT_HOST")
        }
        lobby.emit("delete-room", #"{"roomId":"nowhere"}"#)
        world.run()
        #expect(lobby.next("delete-room-failed")?["code"]?.string == "ROOM_NOT_FOUND")
        #expect(try world.stored() != nil && host.isConnected)
    }

    @Test func aDeletionGoesAloneAndBehindWhatWasBefore() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.holding = [.commit]
        host.emit(update, Scenes.update("a"))
        host.emit(update, Scenes.update("b"))
        host.emit("delete-room", #"{"roomId":"room"}"#)
        guest.emit(update, Scenes.update("c"))
        world.run()
        world.store.release()
        world.run()
        #expect(uuids(guest.take()) == ["a", "b"])
        #expect(try world.stored() == nil)
    }

    @Test func aLateNoticeOfADeletionDoesNotEndTheNextRoomOfThatName() throws {
        let world = try World()
        let host = try world.host()
        let epoch = try #require(try world.stored()).control.epoch
        host.emit("delete-room", #"{"roomId":"room"}"#)
        world.run()
        let next = try world.host()
        try world.onRoom { $0.received(.deleted(nil, epoch: epoch)) }
        #expect(world.live() != nil && next.take().isEmpty)
    }

    // MARK: Following

    @Test func whatOthersCommitIsDeliveredFromTheirNotices() throws {
        let world = try World()
        let host = try world.host()
        try world.joinElsewhere("stranger")
        try world.editElsewhere("x", by: "stranger")
        let messages = host.take()
        #expect(
            messages.map(\.name) == ["user-joined", "users-list", "user-count", updated])
    }

    @Test func noticesOutOfOrderAndTwiceAreDeliveredInOrderAndOnce() throws {
        let world = try World()
        let host = try world.host()
        try world.joinElsewhere("stranger")
        host.skip()
        world.store.holdNotices()
        for name in ["a", "b", "c", "d"] { try world.editElsewhere(name, by: "stranger") }
        world.store.holding = [.read]
        world.store.releaseNotices { $0.reversed() + $0 }
        world.run()
        world.store.release()
        world.run()
        #expect(uuids(host.take()) == ["a", "b", "c", "d"])
    }

    @Test func aLostNoticeIsFilledFromTheLog() throws {
        let world = try World()
        let host = try world.host()
        try world.joinElsewhere("stranger")
        host.skip()
        world.store.losesNotices = true
        try world.editElsewhere("a", by: "stranger")
        try world.editElsewhere("b", by: "stranger")
        world.store.losesNotices = false
        try world.editElsewhere("c", by: "stranger")
        #expect(uuids(host.take()) == ["a", "b", "c"])
        #expect(world.store.calls(.read) == 1)
    }

    @Test func theLastNoticeLostIsNoticedByTheList() throws {
        let world = try World()
        let host = try world.host()
        try world.joinElsewhere("stranger")
        host.skip()
        world.store.losesNotices = true
        try world.editElsewhere("a", by: "stranger")
        #expect(host.take().isEmpty)
        world.advance(.seconds(3))
        #expect(uuids(host.take()) == ["a"])
    }

    @Test func ownEntriesWaitForOthersBeforeThem() throws {
        let world = try World()
        let host = try world.host()
        try world.joinElsewhere("stranger")
        host.skip()
        let guest = try world.guest()
        host.skip()
        world.store.losesNotices = true
        try world.editElsewhere("a", by: "stranger")
        world.store.holding = [.read]
        host.emit(update, Scenes.update("b"))
        world.run()
        #expect(guest.take().isEmpty && host.take().isEmpty)
        world.store.release()
        world.run()
        #expect(uuids(guest.take()) == ["a", "b"])
        #expect(uuids(host.take()) == ["a"])
    }

    @Test func aReadThatFailsIsRepeated() throws {
        let world = try World()
        let host = try world.host()
        try world.joinElsewhere("stranger")
        host.skip()
        world.store.losesNotices = true
        try world.editElsewhere("a", by: "stranger")
        world.store.losesNotices = false
        world.store.failing = [.read: .unavailable("away")]
        try world.editElsewhere("b", by: "stranger")
        world.advance(.milliseconds(500))
        #expect(host.take().isEmpty)
        world.store.failing = [:]
        world.advance(.milliseconds(200))
        #expect(uuids(host.take()) == ["a", "b"])
    }

    @Test func whatWasHeardOfAndIsLostIsGivenUp() throws {
        let world = try World()
        let host = try world.host()
        let (version, epoch) = try world.stored().map { ($0.version, $0.control.epoch) } ?? (0, 0)
        try world.onRoom { $0.received(.head(version + 100, epoch: epoch)) }
        world.advance(.seconds(5))
        let reads = world.store.calls(.read)
        #expect(reads < 50)
        world.advance(.seconds(5))
        #expect(world.store.calls(.read) == reads)
        let ack = host.call(update, Scenes.update("a"))
        world.run()
        #expect(host.next(ack)?["ok"]?.bool == true)
    }

    @Test func aCommitBehindEntriesThatAreLostIsAnswered() throws {
        let world = try World()
        let host = try world.host()
        let version = try #require(try world.stored()).version
        world.store.answers = [
            .committed(previous: version + 50, first: version + 60, durable: true)
        ]
        let ack = host.call(update, Scenes.update("a"))
        world.advance(.seconds(4))
        #expect(host.next(ack) != nil)
        let next = host.call(update, Scenes.update("b"))
        world.run()
        #expect(host.next(next)?["ok"]?.bool == true)
    }

    @Test func aTrimmedLogIsReplacedByTheStoredRoomAndASnapshot() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("first"))
        try world.joinElsewhere("stranger")
        host.skip()
        world.store.losesNotices = true
        try world.editElsewhere("a", by: "stranger")
        let state = try #require(try world.stored())
        _ = world.store.base.save(
            RoomCheckpoint(
                epoch: state.control.epoch, version: state.version, bytes: state.checkpoint(),
                summary: RoomSummary(state.control)), of: "room", trimBefore: .max)
        world.run()
        world.store.losesNotices = false
        try world.editElsewhere("b", by: "stranger")
        let scene = try #require(host.next("receive-full-editor"))
        #expect(Scenes.objects(scene) == ["first", "a", "b"])
    }

    @Test func aNewcomerWhoseEntryCameWithASnapshotIsWelcomed() throws {
        let world = try World()
        let host = try world.host()
        world.store.losesNotices = true
        try world.joinElsewhere("stranger")
        world.store.holding = [.commit, .read]
        let guest = world.connect()
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        // The conflict leads to a read; instead of its answer the room is said to be replaced.
        world.store.takeHeld()?.proceed()
        world.run()
        let read = world.store.takeHeld()
        #expect(read?.kind == .read)
        world.store.holding = []
        try world.onRoom { $0.received(.replaced) }
        read?.proceed()
        world.run()
        #expect(guest.next("joined-room") != nil)
        host.skip()
        guest.skip()
        host.emit(update, Scenes.update("z"))
        world.advance(.seconds(1))
        #expect(uuids(guest.take()) == ["z"])
    }

    // MARK: Replaced

    /// Makes the stored room another one of the same epoch, ahead of the copy here.
    private func replace(_ world: World, _ changes: [RoomEntry.Change]) throws {
        world.store.losesNotices = true
        try world.commitElsewhere(changes)
        world.store.losesNotices = false
    }

    @Test func aReplacedRoomIsLoadedAnewAndShownToAll() throws {
        let world = try World()
        let (host, guest) = (try world.host(editor: Scenes.editor("a")), try world.guest())
        host.skip()
        world.advance(.seconds(1))
        try replace(world, [.edited(try Scenes.edit("b"), by: host.id)])
        try world.onRoom { $0.received(.replaced) }
        for client in [host, guest] {
            #expect(Scenes.objects(client.next("receive-full-editor")) == ["a", "b"])
            #expect(client.next("users-list")?.elements.count == 2)
        }
    }

    @Test func membersHereThatAReplacedRoomLacksJoinAgain() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        try replace(world, [.left(memberID: guest.id, cause: .swept)])
        try world.onRoom { $0.received(.replaced) }
        #expect(try world.stored()?.control.members.keys.sorted() == [host.id, guest.id].sorted())
        guest.skip()
        host.emit(update, Scenes.update("a"))
        world.run()
        #expect(uuids(guest.take()) == ["a"])
    }

    @Test func whoCannotJoinAReplacedRoomAgainIsSentToReconnect() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        try replace(world, [.left(memberID: guest.id, cause: .swept)])
        world.store.failing = [.commit: .unavailable("away")]
        try world.onRoom { $0.received(.replaced) }
        #expect(host.isConnected)
        #expect(guest.session.closed == .serverShutdown())
    }

    @Test func aRoomThatIsReplacedWhileItLoadsIsLoadedAgain() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        world.store.holding = [.load]
        try replace(world, [.edited(try Scenes.edit("b"), by: host.id)])
        try world.onRoom { $0.received(.replaced) }
        let first = try #require(world.store.takeHeld())
        try world.onRoom { $0.received(.replaced) }
        first.proceed()
        world.run()
        #expect(host.take().isEmpty)
        #expect(world.store.held.count == 1)
        world.store.release()
        world.run()
        #expect(host.takeNames().filter { $0 == "receive-full-editor" }.count == 1)
    }

    @Test func aLoadThatIsOlderThanTheCopyDoesNotTakeItBack() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        try world.joinElsewhere("stranger")
        world.advance(.seconds(1))
        host.skip()
        let old = try #require(try world.stored())
        try world.editElsewhere("b", by: "stranger")
        #expect(uuids(host.take()) == ["b"])
        let version = try #require(world.live()).state.version
        // What was read before the edit arrives after it.
        try world.onRoom { room in
            room.reloading = LiveRoom.Reload(isReplaced: false)
            room.take(
                StoredRoom(
                    epoch: old.control.epoch, head: old.version, checkpoint: old.checkpoint(),
                    entries: []), isReplaced: false)
            room.reloading = nil
        }
        #expect(try #require(world.live()).state.version == version)
        #expect(host.take().isEmpty)
    }

    @Test func aLoadThatFailsIsRepeated() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        try replace(world, [.edited(try Scenes.edit("b"), by: host.id)])
        world.store.failing = [.load: .unavailable("away")]
        try world.onRoom { $0.received(.replaced) }
        world.advance(.seconds(1))
        #expect(host.take().isEmpty)
        world.store.failing = [:]
        world.advance(.seconds(1))
        #expect(Scenes.objects(host.next("receive-full-editor")) == ["a", "b"])
    }

    @Test func aRoomThatBecameAnotherEndsHere() throws {
        let world = try World()
        let host = try world.host()
        world.store.losesNotices = true
        let state = try #require(try world.stored())
        _ = world.other.delete(
            CommitBatch(
                room: "room", epoch: state.control.epoch, origin: World.otherIncarnation,
                entries: [RoomEntry(id: "x", change: .deleted(by: ""))], proposed: 0,
                expected: state.version, conditional: true,
                summary: RoomSummary(state.control)))
        world.run()
        world.advance(.seconds(6))
        #expect(host.next("room-deleted")?["deletedByHost"]?.bool == false)
        #expect(world.live() == nil)
    }

    // MARK: Fencing

    @Test func aFencedCommitEndsAllRoomsSilentlyAndAsksTheClientsToReconnect() throws {
        let world = try World()
        let before = world.identity.incarnation
        let host = try world.host()
        let other = try world.host("other")
        let lobby = world.connect()
        world.store.base.fence(before)
        host.emit(update, Scenes.update("a"))
        world.run()
        #expect(world.identity.incarnation != before)
        for client in [host, other, lobby] {
            #expect(client.session.closed == .serverShutdown(code: 1012))
            #expect(client.take().allSatisfy { $0.name == "editor-sync-error" })
        }
        #expect(world.live() == nil && world.live("other") == nil)
        #expect(world.service.roomMetrics.fenced == 1)
        #expect(try world.stored()?.control.sceneVersion == 0)
        #expect(world.service.counts.members == 0 && world.service.counts.users == 0)
    }

    @Test func whatAFencedRoomStillHoldsIsNeverCommittedUnderTheNewName() throws {
        let world = try World(loops: 2)
        let names = ["room", "other", "third", "fourth"]
        let hosts = try names.map { try world.host($0) }
        let before = world.identity.incarnation
        world.store.base.fence(before)
        for (host, name) in zip(hosts, names) {
            host.emit(update, Scenes.update("a", room: name))
            host.emit(update, Scenes.update("b", room: name))
        }
        world.run()
        #expect(world.store.batches.allSatisfy { $0.origin == before })
        for name in names {
            #expect(try world.stored(name)?.control.sceneVersion == 0)
        }
    }

    @Test func whoReadsThatHisOwnMembersWereSweptTellsThemNothingAndIsFenced() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        let own = world.identity.incarnation
        try world.commitElsewhere([
            .left(memberID: guest.id, cause: .swept), .left(memberID: host.id, cause: .swept),
        ])
        #expect(host.take().isEmpty && guest.take().isEmpty)
        #expect(world.identity.incarnation != own)
        #expect(host.session.closed == .serverShutdown(code: 1012))
        #expect(guest.session.closed == .serverShutdown(code: 1012))
    }

    @Test func afterItWasFencedTheInstanceServesUnderItsNewName() throws {
        let world = try World()
        let host = try world.host()
        let old = world.identity.incarnation
        world.store.base.fence(old)
        host.emit(update, Scenes.update("a"))
        world.run()
        let guest = try world.guest()
        let member = try #require(try world.stored()?.control.members[guest.id])
        #expect(member.holder == world.identity.incarnation && member.holder != old)
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
