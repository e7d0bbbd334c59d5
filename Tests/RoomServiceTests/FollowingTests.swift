import JSON
import RoomStore
import Rooms
import Testing

@testable import RoomService

/// How a live room keeps up with what others commit, and with a store that was replaced.
@Suite struct FollowingTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"

    private func uuids(_ messages: [TestClient.Message]) -> [String] {
        messages.filter { $0.name == updated }.compactMap { $0.payload["objectUuid"]?.string }
    }

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

    @Test(arguments: [(100, 3, false), (99, 3, true), (150, 0, true)])
    func manyEditsThatComeLongAfterTheyWereMadeAreToldAsOneScene(
        count: Int, seconds: Int, isToldSingly: Bool
    ) throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("S"))
        try world.joinElsewhere("stranger")
        world.advance(.seconds(1))
        host.skip()
        world.store.losesNotices = true
        world.store.failing = [.read: .unavailable("away"), .summaries: .unavailable("away")]
        let names = (0..<count).map { "n\($0)" }
        for name in names { try world.editElsewhere(name, by: "stranger") }
        world.advance(.seconds(seconds))
        #expect(host.take().isEmpty)
        world.store.failing = [:]
        world.store.losesNotices = false
        try world.editElsewhere("last", by: "stranger")
        world.advance(.seconds(1))
        let messages = host.take()
        let scenes = messages.filter { $0.name == "receive-full-editor" }
        if isToldSingly {
            #expect(uuids(messages) == names + ["last"] && scenes.isEmpty)
        } else {
            #expect(uuids(messages).isEmpty && scenes.count == 1)
            #expect(
                Set(Scenes.objects(scenes.first?.payload)) == Set(["S"] + names + ["last"]))
        }
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
}
