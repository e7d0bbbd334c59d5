import JSON
import Rooms
import Testing

@testable import RoomService
@testable import SocketIOServer

/// Clients that come back after a break as the members they were.
@Suite struct RecoveryTests {
    // MARK: Back

    @Test func aClientThatComesBackMissesNothing() throws {
        let world = try World(loops: 2)
        let host = try world.host()
        let guest = try world.guest(loop: 1, recovers: true)
        let other = try world.guest(name: "Dritter")
        world.advance(.milliseconds(200))
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        _ = guest.take()
        host.skip()
        other.skip()
        guest.vanish()
        host.emit("sync-editor-object-update", Scenes.update("b"))
        host.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        let fourth = try world.guest(name: "Vierter")
        fourth.emit("sync-editor-object-update", Scenes.update("c"))
        world.run()
        fourth.emit("leave-room", #""room""#)
        world.run()
        let seenByOther = other.take().filter { !$0.name.hasPrefix("user-c") }
        let again = world.connect(loop: 1, after: guest)
        #expect(again.isRecovered)
        #expect(again.id == guest.id)
        host.emit("sync-editor-object-update", Scenes.update("d"))
        world.run()
        let missed = again.take()
        #expect(
            missed.map(\.name) == [
                "receive-editor-object-update", "user-name-changed", "user-joined",
                "receive-editor-object-update", "user-left", "users-list", "user-count",
                "receive-editor-object-update",
            ])
        #expect(Recovery.edits(missed) == ["b", "c", "d"])
        // Letter by letter what one saw who was there all the time.
        let live = seenByOther.filter { $0.name != "users-list" }.map(\.payload)
        let told = missed.prefix(5).map(\.payload)
        #expect(told == live)
        #expect(Recovery.names(missed[5].payload) == ["Neu", "Gast", "Dritter"])
        #expect(again.offset == (try Recovery.position(world)))
        // The others were told nothing of it.
        let told2 = (host.takeNames() + other.takeNames()).filter {
            $0 == "user-joined" || $0 == "user-left"
        }
        #expect(told2 == ["user-joined", "user-left"])
        world.advance(.seconds(10))
        #expect(try world.stored()?.control.members.count == 3)
        again.emit("sync-editor-object-update", Scenes.update("e"))
        world.run()
        #expect(Recovery.edits(host.take()) == ["e"])
    }

    @Test func anotherInstanceTakesTheClientBack() throws {
        let world = try World(loops: 2)
        let second = try World(besides: world)
        let host = try world.host(loop: 1, recovers: true)
        let guest = second.connect(recovers: true)
        guest.emit("join-room", #"{"roomId":"room","userName":"Gast"}"#)
        world.run()
        world.advance(.milliseconds(500))
        host.skip()
        guest.skip()
        host.vanish()
        guest.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        guest.emit("sync-editor-object-update", Scenes.update("b"))
        world.run()
        let again = second.connect(loop: 1, after: host)
        #expect(again.isRecovered)
        #expect(again.id == host.id)
        let messages = again.take()
        #expect(Recovery.edits(messages) == ["a", "b"])
        let list = messages.first { $0.name == "users-list" }?.payload
        let own = list?.elements.first { $0["id"]?.string == host.id }
        #expect(own?["role"]?.string == "host")
        world.advance(.seconds(10))
        guest.emit("sync-editor-object-update", Scenes.update("c"))
        world.run()
        #expect(Recovery.edits(again.take()) == ["c"])
        #expect(!guest.takeNames().contains { $0 == "user-left" || $0 == "user-joined" })
        #expect(try world.stored()?.control.hostID == host.id)
        // Nobody is left where it was.
        #expect(world.live() == nil)
    }

    /// The break is not noticed where the client was, as when it changes networks.
    @Test(arguments: [false, true])
    func theBrokenConnectionIsLetGo(elsewhere: Bool) throws {
        let world = try World(loops: 2)
        let second = try World(besides: world)
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        let again = (elsewhere ? second : world).connect(loop: 1, after: guest)
        #expect(again.isRecovered)
        world.run()
        #expect(!guest.isConnected)
        again.skip()
        host.skip()
        world.advance(.seconds(10))
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(Recovery.edits(again.take()) == ["a"])
        #expect(try world.stored()?.control.members.count == 2)
        #expect(!host.takeNames().contains("user-left"))
    }

    @Test func ownEditsAreNotSentBack() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        guest.emit("sync-editor-object-update", Scenes.update("own"))
        world.run()
        host.emit("sync-editor-object-update", Scenes.update("a"))
        guest.vanish()
        world.run()
        let again = world.connect(after: guest)
        #expect(again.isRecovered)
        #expect(Recovery.edits(again.take()) == ["a"])
    }

    /// An own edit that crossed a full scene was lost to the client by applying it (R17).
    @Test func ownEditsThatCrossedAFullSceneAreGivenBack() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        guest.emit("sync-editor-object-update", Scenes.update("own"))
        world.run()
        guest.vanish()
        world.run()
        let again = world.connect(after: guest)
        let messages = again.take()
        #expect(again.isRecovered)
        #expect(Recovery.edits(messages) == ["own"])
        #expect(messages.first?.payload["originUserId"] == nil)
        _ = host
    }

    @Test func whatHappensWhileTheClientComesBackIsToldOnce() throws {
        let world = try World(loops: 2)
        let host = try world.host()
        let guest = try world.guest(loop: 1, recovers: true)
        guest.vanish()
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        world.store.holding = [.read, .commit]
        let again = world.beginConnecting(loop: 1, after: guest)
        world.run()
        try world.editElsewhere("b", by: host.id)
        let read = try #require(world.store.takeHeld())
        #expect(read.kind == .read)
        try world.editElsewhere("c", by: host.id)
        read.proceed()
        world.run()
        try world.editElsewhere("d", by: host.id)
        world.store.release()
        world.run()
        try world.editElsewhere("e", by: host.id)
        world.run()
        again.readConnected()
        #expect(again.isRecovered)
        // All are another instance's but were made in the host's name.
        #expect(Recovery.edits(again.take()) == ["a", "b", "c", "d", "e"])
    }

    // MARK: Cost

    @Test func aStormOfReturnsIsReadOnceAndCommittedInBatches() throws {
        let world = try World(loops: 2)
        let host = try world.host()
        let guests = try (0..<50).map { try world.guest(loop: $0 % 2, recovers: true) }
        world.advance(.milliseconds(500))
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        for guest in guests { guest.skip() }
        for guest in guests { guest.vanish() }
        world.run()
        host.emit("sync-editor-object-update", Scenes.update("b"))
        world.run()
        let reads = world.store.calls(.read)
        let commits = world.store.calls(.commit)
        let again = guests.enumerated().map { world.beginConnecting(loop: $0 % 2, after: $1) }
        world.run()
        for (client, guest) in zip(again, guests) {
            client.readConnected()
            #expect(client.isRecovered)
            #expect(client.id == guest.id)
            #expect(Recovery.edits(client.take()) == ["b"])
        }
        #expect(world.store.calls(.read) - reads == 1)
        #expect(world.store.calls(.commit) - commits <= 50)
        #expect(world.service.recovery.gate.isEmpty)
        #expect(world.service.roomMetrics.recoveries == 50)
    }

    @Test func moreThanTheGateTakesWaitTheirTurnOrAreAsNew() throws {
        var options = RoomServiceOptions()
        options.limits.recoveriesAtOnce = 2
        options.limits.recoveriesWaiting = 3
        let world = try World(options: options)
        _ = try world.host()
        let guests = try (0..<6).map { _ in try world.guest(recovers: true) }
        for guest in guests { guest.vanish() }
        world.run()
        world.store.holding = [.commit]
        let again = guests.map { world.beginConnecting(after: $0) }
        world.run()
        again[5].readConnected()
        #expect(!again[5].id.isEmpty)
        #expect(!again[5].isRecovered)
        world.store.release()
        world.run()
        for client in again.prefix(5) {
            client.readConnected()
            #expect(client.isRecovered)
        }
        #expect(world.service.recovery.gate.isEmpty)
    }
}
