import JSON
import RoomStore
import Rooms
import Testing

@testable import RoomService
@testable import SocketIOServer

/// Clients that come back and cannot be, or must not be, who they were.
@Suite struct RecoveryRefusedTests {
    // MARK: Not recovered

    @Test func aFullSceneIsNotToldInParts() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"), recovers: true)
        let guest = try world.guest()
        world.advance(.seconds(2))
        host.vanish()
        guest.emit("sync-editor-object-update", Scenes.update("b"))
        guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("x", "y")))
        world.run()
        guest.skip()
        let again = world.connect(after: host)
        try Recovery.expectScene(again, insteadOf: host, objects: ["x", "y"], in: world)
        #expect(try world.stored()?.control.hostID == again.id)
        #expect(!guest.takeNames().contains { $0 == "user-left" || $0 == "user-joined" })
        // Its own wish to join is answered as a second one (R14).
        again.emit("join-room", #"{"roomId":"room","userName":"Hanna"}"#)
        world.run()
        #expect(again.takeNames() == ["joined-room", "users-list", "user-count"])
    }

    @Test func whatIsTooMuchIsNotToldInParts() throws {
        var options = RoomServiceOptions()
        options.limits.recoveredEntries = 3
        let world = try World(options: options)
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        world.advance(.seconds(2))
        guest.vanish()
        for object in ["b", "c", "d", "e"] {
            host.emit("sync-editor-object-update", Scenes.update(object))
        }
        world.run()
        let again = world.connect(after: guest)
        try Recovery.expectScene(
            again, insteadOf: guest, objects: ["a", "b", "c", "d", "e"], in: world)
    }

    @Test func whereTheLogIsTrimmedTheSceneFollows() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        world.advance(.seconds(2))
        guest.vanish()
        host.emit("sync-editor-object-update", Scenes.update("b"))
        world.run()
        let room = try #require(world.live())
        let checkpoint = world.loop(of: "room").perform { RoomCheckpoint(of: room.state) }
        _ = world.store.base.save(
            checkpoint, of: "room", trimBefore: checkpoint.version)
        world.run()
        let again = world.connect(after: guest)
        try Recovery.expectScene(again, insteadOf: guest, objects: ["a", "b"], in: world)
    }

    /// A protected room and no cookie: the secret is what lets the client in.
    @Test func theSecretStandsForThePassword() throws {
        let world = try World()
        let host = world.connect(recovers: true)
        host.emit(
            "create-room",
            #"{"roomId":"room","userName":"H","password":"geheim","editor":\#(Scenes.editor("a"))}"#
        )
        var answer: JSONText?
        world.run {
            answer = answer ?? host.next("room-created")
            return answer != nil
        }
        let place = try Recovery.position(world)
        let guest = world.connect(recovers: true)
        guest.emit("join-room", #"{"roomId":"room","userName":"G","password":"geheim"}"#)
        answer = nil
        world.run {
            answer = answer ?? guest.next("joined-room")
            return answer != nil
        }
        guest.skip()
        world.advance(.seconds(2))
        guest.vanish()
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("x")))
        world.run()
        let again = world.connect(after: guest)
        try Recovery.expectScene(again, insteadOf: guest, objects: ["x"], in: world)
        // Others' secrets and guesses open nothing.
        for pid in [
            "\(host.id).00000000000000000000000000000000",
            "\(again.id)." + String(host.pid?.suffix(32) ?? ""),
            "", ".", host.id, "\(host.id).", "x",
        ] {
            let thief = world.connect(
                recovers: true, auth: #"{"pid":"\#(pid)","offset":"\#(place)"}"#)
            #expect(thief.pid != pid)
            #expect(thief.takeNames() == [])
            thief.emit("request-editor-sync", #"{"roomId":"room"}"#)
            world.run()
            #expect(thief.takeNames() == ["editor-sync-error"])
        }
        #expect(try world.stored()?.control.members.count == 2)
    }

    @Test func anOffsetOfAnotherRoomOpensNothing() throws {
        let world = try World()
        let host = try world.host(recovers: true)
        _ = try world.host("other")
        let control = try #require(try world.stored("other")).control
        let there = RoomOffset(room: "other", epoch: control.epoch, version: control.version).text
        let pid = try #require(host.pid)
        for offset in [#""\#(there)""#, #""nowhere.1.2""#, #""pong""#, "7", "null", #"{"a":1}"#] {
            let client = world.connect(
                recovers: true, auth: #"{"pid":"\#(pid)","offset":\#(offset)}"#)
            #expect(client.pid != nil)
            #expect(client.pid != pid)
            #expect(client.takeNames() == [])
        }
        #expect(try world.stored("other")?.control.members.count == 1)
        #expect(host.isConnected)
    }

    /// A place before one's own time in the room, or that never was, is not believed.
    @Test func aPlaceThatNeverWasGivesTheScene() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        host.emit("sync-editor-object-update", Scenes.update("b"))
        let guest = try world.guest(recovers: true)
        world.advance(.seconds(2))
        let control = try #require(try world.stored()).control
        let pid = try #require(guest.pid)
        var earlier = guest
        for version in [control.epoch, control.version - 1, control.version + 1, 1 << 52] {
            guard version >= control.epoch else { continue }
            let offset = RoomOffset(room: "room", epoch: control.epoch, version: version).text
            let auth = #"{"pid":"\#(earlier.pid ?? pid)","offset":"\#(offset)"}"#
            earlier.vanish()
            world.run()
            let again = world.connect(recovers: true, auth: auth)
            try Recovery.expectScene(again, insteadOf: earlier, objects: ["a", "b"], in: world)
            world.advance(.seconds(1))
            earlier = again
        }
    }

    @Test func whoDoesNotComeInTimeHasLeft() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        world.advance(.milliseconds(200))
        host.skip()
        guest.vanish()
        world.advance(.milliseconds(2_900))
        #expect(host.takeNames() == [])
        world.advance(.milliseconds(200))
        #expect(host.takeNames() == ["user-left", "users-list", "user-count"])
        let again = world.connect(after: guest)
        #expect(!again.isRecovered)
        #expect(again.id != guest.id)
        #expect(again.takeNames() == [])
    }

    @Test func whoSaysGoodbyeHasLeftAtOnce() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        world.advance(.milliseconds(200))
        host.skip()
        guest.send("1")
        guest.vanish()
        world.run()
        #expect(host.takeNames() == ["user-left", "users-list", "user-count"])
        #expect(!world.connect(after: guest).isRecovered)
    }

    /// The browser client makes a new socket each time and shows its cookie only.
    @Test(arguments: [false, true])
    func aClientWithoutTheSecretStillReplacesItself(elsewhere: Bool) throws {
        let world = try World()
        let second = try World(besides: world)
        let cookie = String(repeating: "c", count: 32)
        let host = try world.host(cookie: cookie, recovers: true)
        let guest = try world.guest()
        world.advance(.milliseconds(200))
        guest.skip()
        host.vanish()
        world.run()
        let again = (elsewhere ? second : world).connect(cookie: cookie, recovers: true)
        again.emit("join-room", #"{"roomId":"room","userName":"Hanna"}"#)
        world.run()
        #expect(again.next("joined-room")?["isHost"]?.bool == true)
        world.advance(.seconds(10))
        #expect(!guest.takeNames().contains { $0 == "user-left" || $0 == "user-joined" })
        #expect(try world.stored()?.control.members.count == 2)
    }

    @Test func anInstanceOnItsWayOutTakesNobodyOffTheList() throws {
        let world = try World()
        let second = try World(besides: world)
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        world.service.announceShutdown()
        guest.vanish()
        world.advance(.seconds(20))
        #expect(!host.takeNames().contains("user-left"))
        #expect(second.connect(after: guest).isRecovered)
    }

    // MARK: Races

    @Test func ofTwoConnectionsWithOneSecretTheLastIsTheMember() throws {
        let world = try World(loops: 2)
        let second = try World(besides: world)
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        guest.vanish()
        world.run()
        world.store.holding = [.commit]
        second.store.holding = [.commit]
        let clients = [
            world.beginConnecting(after: guest), world.beginConnecting(loop: 1, after: guest),
            second.beginConnecting(after: guest),
        ]
        world.run()
        second.store.release()
        world.run()
        world.store.release()
        world.advance(.seconds(1))
        let members = try #require(try world.stored()).control.members
        #expect(members.count == 2)
        let open = clients.filter(\.isConnected)
        #expect(open.count == 1)
        let survivor = try #require(open.first)
        survivor.readConnected()
        #expect(members[survivor.id] != nil)
        survivor.skip()
        world.advance(.seconds(10))
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(Recovery.edits(survivor.take()) == ["a"])
        #expect(try world.stored()?.control.members.count == 2)
        #expect(world.service.recovery.gate.isEmpty)
    }

    @Test(arguments: [ScriptedStore.Kind.read, .commit], [false, true])
    func whoVanishesOnTheWayIsLetGo(during kind: ScriptedStore.Kind, cancels: Bool) throws {
        let world = try World(loops: 2)
        let host = try world.host()
        let guest = try world.guest(recovers: true)
        guest.vanish()
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        host.skip()
        world.store.holding = [kind]
        let again = world.beginConnecting(loop: 1, after: guest)
        world.run()
        if cancels { again.send("1") }
        again.vanish()
        world.run()
        world.store.release()
        world.run()
        #expect(world.service.recovery.gate.isEmpty)
        #expect(again.session.takeSent() == [])
        // It may still come.
        let third = world.connect(after: guest)
        #expect(third.isRecovered)
        #expect(Recovery.edits(third.take()) == ["a"])
        third.vanish()
        world.advance(.seconds(6))
        #expect(host.takeNames().filter { $0 == "user-left" } == ["user-left"])
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func aClaimThatIsNotStoredGivesTheScene() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        world.advance(.seconds(2))
        guest.vanish()
        world.run()
        world.store.holding = [.commit]
        let again = world.beginConnecting(after: guest)
        world.run()
        let claim = try #require(world.store.takeHeld())
        world.store.holding = []
        claim.loseAnswer()
        world.advance(.seconds(1))
        again.readConnected()
        try Recovery.expectScene(again, insteadOf: guest, objects: ["a"], in: world)
        world.advance(.seconds(10))
        #expect(try world.stored()?.control.members.count == 2)
        #expect(!host.takeNames().contains("user-left"))
    }
}
