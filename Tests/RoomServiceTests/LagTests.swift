import JSON
import Rooms
import Testing

@testable import RoomService
@testable import SocketIOServer

/// Members who read too slowly: what waits for them, and what they get when they have caught up.
@Suite struct LagTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"
    private let full = "receive-full-editor"

    /// A host with one object, and a guest who has applied the scene.
    private func room(
        _ options: RoomServiceOptions = .init(), loops: Int = 1, padding: Int = 0
    ) throws -> (World, host: TestClient, slow: TestClient) {
        let world = try World(loops: loops, options: options)
        let host = try world.host(editor: Scenes.editor("a", padding: padding))
        let slow = try world.guest(loop: loops - 1)
        world.advance(.seconds(10))
        host.skip()
        slow.skip()
        return (world, host, slow)
    }

    private func change(_ uuid: String, _ name: String, padding: Int = 0) -> String {
        let filler = String(repeating: "x", count: padding)
        return Scenes.update(uuid, changeType: "general", name: name + filler)
    }

    private func name(_ message: TestClient.Message) -> String? {
        message.payload["objectData"]?["object"]?["name"]?.string
    }

    @Test(arguments: [1, 2]) func theLatestOfEachObjectFollowsWhenTheQueueHasDrained(
        loops: Int
    ) throws {
        let (world, host, slow) = try room(loops: loops)
        let other = try world.guest()
        world.advance(.seconds(10))
        other.skip()
        slow.skip()
        slow.setBackedUp(true)
        world.run()
        for index in 0..<50 {
            host.emit(update, change("a", "a\(index)"))
            host.emit(update, change("b", "b\(index)"))
        }
        host.emit(update, Scenes.update("c"))
        world.run()
        #expect(other.take().count == 101, "others feel nothing")
        world.advance(.seconds(5))
        #expect(slow.take().isEmpty)
        #expect(world.service.counts.lagging == 1 && world.service.counts.heldBytes > 0)
        slow.setBackedUp(false)
        world.run()
        #expect(slow.take().map(name) == ["a49", "b49", ""])
        #expect(world.service.counts.lagging == 0 && world.service.counts.heldBytes == 0)
        host.emit(update, change("a", "after"))
        world.run()
        #expect(slow.take().map(name) == ["after"])
    }

    @Test func aQueueThatDrainsWithinTheSameTurnIsNoLag() throws {
        let (world, host, slow) = try room()
        slow.setBackedUp(true)
        slow.setBackedUp(false)
        host.emit(update, change("a", "one"))
        world.run()
        #expect(slow.take().map(name) == ["one"])
    }

    @Test(arguments: [(3, 1 << 20, 1 << 20), (1_000, 5_000, 1 << 20), (1_000, 1 << 20, 5_000)])
    func moreThanCanBeHeldIsOneFreshScene(events: Int, bytes: Int, ofAll: Int) throws {
        var options = RoomServiceOptions()
        options.limits.heldEvents = events
        options.limits.heldBytes = bytes
        options.limits.heldBytesOfAll = ofAll
        let (world, host, slow) = try room(options)
        slow.setBackedUp(true)
        world.run()
        for index in 0..<10 {
            host.emit(update, Scenes.update("n\(index)", name: String(repeating: "x", count: 900)))
            world.run()
            #expect(world.service.counts.heldBytes <= min(bytes, ofAll))
        }
        slow.setBackedUp(false)
        world.run()
        let messages = slow.take()
        #expect(messages.map(\.name) == [full])
        #expect(Scenes.objects(messages[0].payload).count == 11)
        #expect(world.service.counts.heldBytes == 0)
        host.emit(update, change("a", "later"))
        world.advance(.milliseconds(300))
        #expect(slow.take().map(name) == ["later"])
    }

    @Test func ofTwoSlowMembersTheOneWithTheMostGetsTheScene() throws {
        var options = RoomServiceOptions()
        options.limits.heldBytesOfAll = 12_000
        let (world, host, slow) = try room(options)
        let late = try world.guest()
        world.advance(.seconds(10))
        late.skip()
        slow.skip()
        slow.setBackedUp(true)
        world.run()
        host.emit(update, change("a", "big", padding: 8_000))
        world.run()
        late.skip()
        late.setBackedUp(true)
        world.run()
        for index in 0..<5 {
            host.emit(update, change("o\(index)", "small", padding: 300))
            world.run()
        }
        slow.setBackedUp(false)
        late.setBackedUp(false)
        world.run()
        #expect(slow.takeNames() == [full])
        #expect(late.takeNames() == Array(repeating: updated, count: 5))
    }

    @Test func ofListsTheLatestWaitsAndNoticesComeInTheirOrder() throws {
        let (world, host, slow) = try room()
        slow.setBackedUp(true)
        world.run()
        let one = try world.guest()
        world.advance(.seconds(1))
        host.emit(update, change("a", "between"))
        world.run()
        one.vanish()
        world.advance(.seconds(1))
        #expect(slow.take().isEmpty)
        slow.setBackedUp(false)
        world.run()
        let messages = slow.take()
        #expect(
            messages.map(\.name) == [
                "user-joined", updated, "user-left", "users-list", "user-count",
            ])
        #expect(messages[3].payload.elements.count == 2)
        #expect(messages[4].payload.int == 2)
    }

    @Test func aFreshSceneDoesNotTakeTheNoticesWithIt() throws {
        var options = RoomServiceOptions()
        options.limits.heldEvents = 2
        let (world, host, slow) = try room(options)
        slow.setBackedUp(true)
        world.run()
        _ = try world.guest()
        for index in 0..<5 { host.emit(update, Scenes.update("n\(index)")) }
        world.advance(.seconds(1))
        slow.setBackedUp(false)
        world.run()
        #expect(slow.takeNames() == [full, "user-joined", "users-list", "user-count"])
    }

    @Test func ofTooManyNoticesTheOldestAreLeftOut() throws {
        var options = RoomServiceOptions()
        options.limits.heldNotices = 5
        let (world, _, slow) = try room(options)
        slow.setBackedUp(true)
        world.run()
        for _ in 0..<10 {
            try world.guest().vanish()
            world.advance(.seconds(1))
        }
        slow.setBackedUp(false)
        world.run()
        let messages = slow.take()
        #expect(messages.suffix(2).map(\.name) == ["users-list", "user-count"])
        #expect(messages.count == 5)
        #expect(messages[3].payload.elements.count == 2)
    }

    @Test func theEndOfTheRoomDoesNotWait() throws {
        let (world, host, slow) = try room()
        slow.setBackedUp(true)
        world.run()
        host.emit(update, change("a", "one"))
        host.emit("delete-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(slow.takeNames() == ["room-deleted"])
        #expect(world.service.counts.lagging == 0 && world.service.counts.heldBytes == 0)
        slow.setBackedUp(false)
        world.run()
        #expect(slow.take().isEmpty)
    }

    @Test func aSceneThatWasStuckIsGivenItsTimeFromWhenItHasLeft() throws {
        let (world, host, slow) = try room(padding: 2_500_000)
        slow.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        #expect(slow.takeNames() == [full])
        slow.setBackedUp(true)
        world.run()
        host.emit(update, change("a", "held"))
        world.advance(.seconds(5))
        #expect(slow.take().isEmpty)
        slow.setBackedUp(false)
        world.advance(.milliseconds(899))
        #expect(slow.take().isEmpty)
        world.advance(.milliseconds(1))
        #expect(slow.take().map(name) == ["held"])
    }

    @Test func aSceneAskedForWhileTheQueueIsFullComesOnceItHasDrained() throws {
        let (world, host, slow) = try room()
        slow.setBackedUp(true)
        world.run()
        for _ in 0..<5 { slow.emit("request-editor-sync", #"{"roomId":"room"}"#) }
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("new")))
        world.advance(.seconds(2))
        #expect(slow.take().isEmpty)
        slow.setBackedUp(false)
        world.run()
        let messages = slow.take()
        #expect(messages.map(\.name) == [full])
        #expect(Scenes.objects(messages.first?.payload) == ["new"])
    }

    @Test func whoComesInOverASlowConnectionLagsFromTheStart() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let slow = world.connect()
        slow.setBackedUp(true)
        world.run()
        slow.emit("join-room", #"{"roomId":"room"}"#)
        world.advance(.seconds(1))
        slow.skip()
        host.emit(update, change("a", "one"))
        world.advance(.seconds(1))
        #expect(slow.take().isEmpty)
        slow.setBackedUp(false)
        world.advance(.milliseconds(300))
        #expect(slow.take().map(name) == ["one"])
    }

    @Test func anUploadOfOneWhoHasJustCaughtUpDoesNotPutOthersWorkBack() throws {
        let (world, host, slow) = try room()
        slow.setBackedUp(true)
        world.run()
        host.emit(update, Scenes.update("b"))
        world.advance(.seconds(5))
        slow.setBackedUp(false)
        world.run()
        slow.skip()
        let ack = slow.call("sync-full-editor", Scenes.upload(Scenes.editor("old")))
        world.run()
        let messages = slow.take()
        #expect(Set(messages.map(\.name)) == [ack, "sync-full-editor-success", full])
        let scene = messages.first { $0.name == full }
        #expect(Scenes.objects(scene?.payload) == ["a", "b"])
        world.advance(.seconds(2))
        slow.skip()
        _ = slow.call("sync-full-editor", Scenes.upload(Scenes.editor("newer")))
        world.run()
        #expect(Scenes.objects(host.next(full)) == ["newer"])
    }

    @Test func whoGoesWhileLaggingLeavesNothingBehind() throws {
        let (world, host, slow) = try room()
        slow.setBackedUp(true)
        world.run()
        host.emit(update, change("a", "one"))
        world.run()
        slow.vanish()
        world.advance(.seconds(1))
        #expect(world.service.counts.lagging == 0 && world.service.counts.heldBytes == 0)
    }
}

@Suite struct HeldEventsTests {
    private func event(_ name: String) -> PreparedEvent { PreparedEvent(name, []) }

    @Test func theLaterTakesTheOldOnesPlaceAtTheEnd() {
        var held = HeldEvents()
        held.add(event("a1"), .edit, key: "a")
        held.add(event("n"), .notice, key: nil)
        held.add(event("a2"), .edit, key: "a")
        #expect(held.edits == 1 && held.notices == 1)
        #expect(held.bytes == event("a2").byteCount + event("n").byteCount)
        #expect(held.takeAll().map(\.event) == ["n", "a2"])
        #expect(held.isEmpty && held.bytes == 0)
    }

    @Test func aLongTimeOfOneObjectTakesNoMoreThanItsLatest() {
        var held = HeldEvents()
        for index in 0..<10_000 { held.add(event("a\(index)"), .edit, key: "a\(index % 3)") }
        held.add(event("last"), .notice, key: nil)
        #expect(held.takeAll().map(\.event) == ["a9997", "a9998", "a9999", "last"])
    }

    @Test func editsGoAndNoticesStay() {
        var held = HeldEvents()
        for index in 0..<5 {
            held.add(event("e\(index)"), .edit, key: nil)
            held.add(event("n\(index)"), .notice, key: nil)
        }
        held.dropEdits()
        held.dropOldestNotices(keeping: 3)
        #expect(held.edits == 0 && held.notices == 3)
        #expect(held.takeAll().map(\.event) == ["n2", "n3", "n4"])
    }
}
