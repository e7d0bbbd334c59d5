import JSON
import Rooms
import Testing

@testable import RoomService
@testable import SocketIOServer

/// Which place in the log a client is told, and whom.
@Suite struct RecoveryOffsetTests {
    // MARK: Offsets

    @Test func aMemberIsToldItsPlaceWithEveryEventOfTheRoom() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        #expect(guest.pid?.hasPrefix("\(guest.id).") == true)
        #expect(guest.offset == (try Recovery.position(world)))
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(guest.take().map(\.offset) == [try Recovery.position(world)])
        world.advance(.milliseconds(200))
        guest.skip()
        host.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        let place = try Recovery.position(world)
        let seen = guest.take()
        #expect(seen.map(\.name) == ["user-name-changed", "users-list", "user-count"])
        #expect(seen.map(\.offset) == [place, place, place])
    }

    @Test func whoDoesNotTakePartIsToldNothing() throws {
        let world = try World()
        let host = try world.host()
        let plain = try world.guest()
        let guest = try world.guest(recovers: true)
        world.advance(.milliseconds(200))
        plain.skip()
        guest.skip()
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(plain.take().map(\.offset) == [nil])
        #expect(guest.take().compactMap(\.offset).count == 1)
        #expect(plain.pid == nil)
        #expect(host.pid == nil)
    }

    @Test func theServiceMayBeSwitchedOff() throws {
        var options = RoomServiceOptions()
        options.offersRecovery = false
        let world = try World(options: options)
        #expect(world.connect(recovers: true).pid == nil)
    }

    /// The answer to `ping` has no argument: a stock client would take the event's name for an
    /// offset.
    @Test func noOtherEventIsTakenForAPlace() throws {
        let world = try World()
        let host = try world.host(recovers: true)
        let place = host.offset
        for event in ["ping", "get-user-info", "get-user-stats", "get-rooms"] { host.emit(event) }
        host.emit("delete-room", #"{"roomId":"other"}"#)
        world.run()
        #expect(host.take().count == 5)
        #expect(host.offset == place)
    }

    /// Edits are held back from a client that applies a full scene: no later place is its own yet.
    @Test func noPlaceIsToldWhileEditsAreHeldBack() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        let atScene = try #require(guest.offset)
        #expect(atScene.hasSuffix(".s"))
        host.emit("sync-editor-object-update", Scenes.update("b"))
        host.emit("sync-editor-object-update", Scenes.update("c"))
        world.run()
        host.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        let early = guest.take()
        #expect(early.first?.name == "user-name-changed")
        #expect(early.compactMap(\.offset) == [])
        #expect(guest.offset == atScene)
        world.advance(.milliseconds(310))
        let late = guest.take().filter { $0.name == "receive-editor-object-update" }
        #expect(late.map(\.offset) == [nil, try Recovery.position(world)])
    }

    /// As little while everything is held back, because it reads too slowly.
    @Test func noPlaceIsToldWhileTheClientReadsTooSlowly() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        world.advance(.seconds(2))
        guest.skip()
        guest.setBackedUp(true)
        world.run()
        let before = guest.offset
        host.emit("sync-editor-object-update", Scenes.update("b"))
        host.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        host.emit("sync-editor-object-update", Scenes.update("c"))
        world.advance(.seconds(2))
        #expect(guest.take().isEmpty)
        #expect(guest.offset == before)
        guest.setBackedUp(false)
        world.run()
        let late = guest.take()
        #expect(Recovery.edits(late) == ["b", "c"])
        #expect(late.compactMap(\.offset) == [try Recovery.position(world)])
        #expect(late.last?.offset != nil)
        host.emit("sync-editor-object-update", Scenes.update("d"))
        world.run()
        #expect(guest.take().map(\.offset) == [try Recovery.position(world)])
    }

    @Test func aPlaceThatWasLeftOutIsToldWhenTheHoldEnds() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        world.advance(.milliseconds(150))
        guest.skip()
        host.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        #expect(guest.take().compactMap(\.offset) == [])
        world.advance(.milliseconds(200))
        let reminder = guest.take()
        #expect(reminder.last?.name == "user-count")
        #expect(reminder.last?.offset == (try Recovery.position(world)))
    }

    /// The place goes with the scene, not with an edit of the same commit that overtakes it.
    @Test func noEditSaysThatAnEarlierFullSceneHasArrived() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        let before = guest.offset
        world.store.holding = [.commit]
        host.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("a")))
        host.emit("sync-editor-object-update", Scenes.update("b"))
        world.run()
        world.store.release()
        world.run()
        let messages = guest.take()
        let edit = try #require(messages.firstIndex { $0.name == "receive-editor-object-update" })
        let scene = try #require(messages.firstIndex { $0.name == "receive-full-editor" })
        #expect(edit < scene)
        #expect(messages[edit].offset == nil)
        #expect(messages[scene].offset == (try Recovery.position(world)) + ".s")
        #expect(guest.offset != before)
    }

    // MARK: Whom it is offered to

    @Test(
        arguments: [
            ("Mozilla/5.0 (X11; Linux x86_64)", nil, nil, true),
            ("node-XMLHttpRequest", nil, nil, true),
            ("Python/3.11 aiohttp/3.9.1", nil, nil, false),
            ("python-requests/2.31.0", nil, nil, false), ("websocket-client/1.8", nil, nil, false),
            (nil, nil, nil, false), (nil, "permessage-deflate", nil, true),
            ("Python/3.11 aiohttp/3.9.1", nil, "1", true), ("Mozilla/5.0", nil, "0", false),
            ("Mozilla/5.0", nil, "2", true),
        ] as [(String?, String?, String?, Bool)])
    func recoveryIsOfferedToWhoBearsIt(
        agent: String?, extensions: String?, query: String?, expected: Bool
    ) {
        let session = TestSession.request(agent: agent, extensions: extensions, recovery: query)
        #expect(RecoveryOffer.isFor(session) == expected)
    }
}
