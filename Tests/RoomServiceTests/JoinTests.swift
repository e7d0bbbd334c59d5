import JSON
import NIOCore
import Rooms
import Testing

@testable import RoomService

@Suite struct JoinTests {
    // MARK: Creating

    @Test func theCreatorIsHostOfARoomThatIsStored() throws {
        let world = try World()
        let client = world.connect()
        let ack = client.call(
            "create-room",
            #"{"roomId":"room","userName":" Hanna<b> ","password":null,"editor":{}}"#)
        world.run()
        let messages = client.take()
        #expect(
            messages.map(\.name) == ["room-created", "users-list", "user-count", ack])
        #expect(messages[0].payload["isHost"]?.bool == true)
        let list = messages[1].payload.elements
        #expect(list.count == 1)
        #expect(list[0]["id"]?.string == client.id && list[0]["name"]?.string == "Hannab")
        #expect(list[0]["role"]?.string == "host")
        #expect(messages[2].payload.int == 1)
        #expect(messages[3].payload["ok"]?.bool == true)
        #expect(try world.stored()?.control.hostID == client.id)
    }

    @Test func nothingIsSaidToBeCreatedBeforeItIsStored() throws {
        let world = try World()
        world.store.holding = [.create]
        let client = world.connect()
        client.emit("create-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(client.take().isEmpty)
        world.store.release()
        world.run()
        #expect(client.next("room-created") != nil)
    }

    @Test func oneOfManyCreatorsGetsTheRoom() throws {
        let world = try World()
        world.store.holding = [.create, .follow]
        let clients = (0..<20).map { _ in world.connect() }
        for client in clients { client.emit("create-room", #"{"roomId":"room"}"#) }
        world.run()
        world.store.release()
        world.run()
        let names = clients.map { $0.takeNames().first ?? "" }
        #expect(names.count { $0 == "room-created" } == 1)
        #expect(names.count { $0 == "room-creation-failed" } == 19)
    }

    @Test func aRoomOfAnotherInstanceIsNotMadeAgain() throws {
        let world = try World()
        _ = try world.host()
        try world.onRoom { $0.end(announcing: nil, deletedBy: nil) }
        let client = world.connect()
        client.emit("create-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(client.next("room-creation-failed")?["code"]?.string == "ROOM_EXISTS")
        #expect(world.store.followedRooms.isEmpty)
    }

    @Test func everyFieldOfACreationIsChecked() throws {
        let world = try World()
        let client = world.connect()
        client.emit(
            "create-room", #"{"roomId":"a b","password":"abc","editor":[],"userName":7}"#)
        world.run()
        let failure = try #require(client.next("room-creation-failed"))
        #expect(failure["code"]?.string == "VALIDATION_ERROR")
        #expect(failure["errors"]?.elements.count == 3)
        #expect(world.store.calls(.create) == 0)
    }

    @Test func roomsAreMadeUpToTheLimit() throws {
        var options = RoomServiceOptions()
        options.limits.rooms = 1
        let world = try World(options: options)
        let client = try world.host("first")
        client.emit("get-rooms")
        world.run()
        client.skip()
        client.emit("create-room", #"{"roomId":"second"}"#)
        world.run()
        #expect(client.next("room-creation-failed")?["code"]?.string == "CREATION_ERROR")
    }

    @Test func anAddressMakesSoManyRoomsAMinute() throws {
        var options = RoomServiceOptions()
        options.limits.roomsCreatedPerMinute = 2
        let world = try World(options: options)
        let client = world.connect(address: "10.0.0.7")
        for name in ["one", "two", "three"] {
            client.emit("create-room", #"{"roomId":"\#(name)"}"#)
        }
        world.run()
        #expect(client.next("room-creation-failed")?["code"]?.string == "RATE_LIMITED")
        let other = world.connect(address: "10.0.0.8")
        other.emit("create-room", #"{"roomId":"three"}"#)
        world.run()
        #expect(other.next("room-created") != nil)
    }

    // MARK: Joining

    @Test func aNewcomerIsWelcomedInOrder() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        world.advance(.milliseconds(1))
        let guest = world.connect()
        let ack = guest.call("join-room", #"{"roomId":"room","userName":"Gast"}"#)
        world.run()
        let messages = guest.take()
        #expect(
            messages.map(\.name) == [
                "joined-room", "receive-full-editor", "users-list", "user-count", ack,
            ])
        #expect(messages[0].payload["isHost"]?.bool == false)
        #expect(messages[0].payload["hasEditor"]?.bool == true)
        #expect(messages[0].payload["userCount"]?.int == 2)
        #expect(Scenes.objects(messages[1].payload) == ["a"])
        #expect(messages[1].payload["isInitialSync"]?.bool == true)
        #expect(messages[1].payload["originUserId"] == nil)
        #expect(messages[2].payload.elements.map { $0["role"]?.string } == ["host", "guest"])
        #expect(host.takeNames() == ["user-joined", "users-list", "user-count"])
    }

    @Test func aBareStringIsARoomToo() throws {
        let world = try World()
        _ = try world.host()
        let guest = world.connect()
        guest.emit("join-room", #""room""#)
        world.run()
        #expect(guest.next("joined-room") != nil)
    }

    @Test func theSecondJoinOfASocketIsAnsweredAndChangesNothing() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest()
        host.skip()
        let version = try world.stored()?.version
        guest.emit("join-room", #"{"roomId":"room","userName":"Gast","password":null}"#)
        world.run()
        let messages = guest.take()
        #expect(messages.map(\.name) == ["joined-room", "users-list", "user-count"])
        #expect(messages[0].payload["isHost"]?.bool == false)
        #expect(messages[1].payload.elements.count == 2)
        #expect(host.take().isEmpty)
        #expect(try world.stored()?.version == version)
    }

    @Test func aRoomThatDoesNotExistIsNotJoined() throws {
        let world = try World()
        let client = world.connect()
        client.emit("join-room", #"{"roomId":"nowhere"}"#)
        world.run()
        #expect(client.next("join-room-failed")?["code"]?.string == "ROOM_NOT_FOUND")
        #expect(world.store.followedRooms.isEmpty)
    }

    @Test func manyAtTheDoorOfARoomThatDoesNotExistAskOnce() throws {
        let world = try World()
        let clients = (0..<10).map { _ in world.connect() }
        world.store.holding = [.load]
        for client in clients { client.emit("join-room", #"{"roomId":"nowhere"}"#) }
        world.run()
        world.store.release()
        world.run()
        for client in clients {
            #expect(client.next("join-room-failed")?["code"]?.string == "ROOM_NOT_FOUND")
        }
        #expect(world.store.calls(.load) == 1)
    }

    @Test func whileRoomsAreRestoredARoomThatIsNotThereIsWaitedFor() throws {
        let world = try World()
        world.isStoreSettled = false
        let client = world.connect()
        client.emit("join-room", #"{"roomId":"room"}"#)
        world.advance(.seconds(1))
        #expect(client.take().isEmpty)
        let other = try world.host()
        world.advance(.seconds(1))
        #expect(client.next("joined-room") != nil)
        #expect(other.isConnected)
    }

    @Test func aFullRoomTakesNobodyMore() throws {
        var options = RoomServiceOptions()
        options.room.members = 1
        let world = try World(options: options)
        _ = try world.host()
        let client = world.connect()
        client.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(client.next("join-room-failed")?["code"]?.string == "ROOM_FULL")
    }

    @Test func joiningAnotherRoomLeavesTheFirst() throws {
        let world = try World()
        let first = try world.host("first")
        _ = try world.host("second")
        let guest = try world.guest("first")
        first.skip()
        guest.emit("join-room", #"{"roomId":"second"}"#)
        world.run()
        #expect(guest.next("joined-room")?["roomId"]?.string == "second")
        world.advance(.milliseconds(200))
        #expect(first.takeNames().prefix(1) == ["user-left"])
        #expect(try world.stored("first")?.control.members[guest.id] == nil)
        guest.skip()
        first.emit("sync-editor-object-update", Scenes.update("a", room: "first"))
        world.run()
        #expect(guest.take().isEmpty)
        guest.emit("sync-editor-object-update", Scenes.update("b", room: "first"))
        world.run()
        #expect(guest.next("editor-sync-error")?["code"]?.string == "USER_NOT_IN_ROOM")
    }

    @Test func whoGoesToAnotherRoomHearsNothingMoreOfTheFirstThoughTheStoreIsAway() throws {
        let world = try World()
        let first = try world.host("first")
        _ = try world.host("second")
        let guest = try world.guest("first")
        guest.emit("join-room", #"{"roomId":"second"}"#)
        // The join is stored; the leave that follows is not.
        while world.store.batches.last?.room != "second", world.loops[0].runOne() {}
        world.store.failing = [.commit: .unavailable("away")]
        world.run()
        #expect(guest.next("joined-room") != nil)
        guest.skip()
        #expect(try world.stored("first")?.control.members[guest.id] != nil)
        world.store.failing = [:]
        first.emit("sync-editor-object-update", Scenes.update("a", room: "first"))
        world.run()
        #expect(guest.take().isEmpty)
        world.advance(.seconds(3))
        #expect(try world.stored("first")?.control.members[guest.id] == nil)
    }

    // MARK: Passwords

    private func protectedRoom(_ world: World) throws -> TestClient {
        let host = world.connect(cookie: String(repeating: "a", count: 32))
        host.emit("create-room", #"{"roomId":"room","userName":"Hanna","password":"secret"}"#)
        var created: JSONText?
        world.run {
            created = created ?? host.next("room-created")
            return created != nil
        }
        host.skip()
        return host
    }

    private func answer(_ world: World, _ client: TestClient) -> TestClient.Message? {
        var first: TestClient.Message?
        world.run {
            first = first ?? client.take().first
            return first != nil
        }
        return first
    }

    @Test func theRightPasswordOpensTheRoom() throws {
        let world = try World()
        _ = try protectedRoom(world)
        let guest = world.connect()
        guest.emit("join-room", #"{"roomId":"room","password":"secret"}"#)
        #expect(answer(world, guest)?.name == "joined-room")
        guest.skip()
        guest.emit("join-room", #"{"roomId":"room","password":null}"#)
        #expect(answer(world, guest)?.name == "joined-room")
    }

    @Test(arguments: [
        #"{"roomId":"room","password":"wrong"}"#, #"{"roomId":"room","password":""}"#,
        #"{"roomId":"room","password":null}"#, #"{"roomId":"room"}"#, #""room""#,
        #"{"roomId":"room","password":["secret"]}"#, #"{"roomId":"room","password":true}"#,
    ])
    func anythingElseDoesNot(payload: String) throws {
        let world = try World()
        let host = try protectedRoom(world)
        let guest = world.connect()
        guest.emit("join-room", payload)
        let message = answer(world, guest)
        #expect(message?.name == "join-room-failed")
        #expect(message?.payload["code"]?.string == "INVALID_PASSWORD")
        host.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(guest.take().isEmpty)
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func aPasswordOfManyBytesIsWrongWithoutAnyWork() throws {
        let world = try World()
        _ = try protectedRoom(world)
        let guest = world.connect()
        let long = String(repeating: "x", count: RoomRules.passwordMaximumBytes + 1)
        guest.emit("join-room", #"{"roomId":"room","password":"\#(long)"}"#)
        world.run()
        #expect(guest.next("join-room-failed")?["code"]?.string == "INVALID_PASSWORD")
    }

    @Test func theCookieOfAMemberOpensTheRoomAgain() throws {
        let world = try World()
        let host = try protectedRoom(world)
        host.vanish()
        let again = world.connect(cookie: String(repeating: "a", count: 32))
        again.emit("join-room", #"{"roomId":"room","password":null}"#)
        world.run()
        #expect(again.next("joined-room")?["isHost"]?.bool == true)
    }

    @Test func anAddressGuessesSoOftenAMinute() throws {
        var options = RoomServiceOptions()
        options.limits.wrongPasswordsPerMinute = 2
        let world = try World(options: options)
        _ = try protectedRoom(world)
        let thief = world.connect(address: "10.6.6.6")
        for code in ["INVALID_PASSWORD", "INVALID_PASSWORD", "RATE_LIMITED"] {
            thief.emit("join-room", #"{"roomId":"room","password":"guess"}"#)
            #expect(answer(world, thief)?.payload["code"]?.string == code)
        }
        thief.emit("join-room", #"{"roomId":"room","password":"secret"}"#)
        #expect(answer(world, thief)?.payload["code"]?.string == "RATE_LIMITED")
        world.advance(.seconds(61))
        thief.emit("join-room", #"{"roomId":"room","password":"secret"}"#)
        #expect(answer(world, thief)?.name == "joined-room")
    }

    // MARK: Connections that break meanwhile

    @Test func whoVanishesWhileJoiningIsNotLeftInTheRoom() throws {
        let world = try World()
        let host = try world.host()
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        guest.vanish()
        world.run()
        world.store.release()
        world.run()
        #expect(try world.stored()?.control.members.keys.sorted() == [host.id])
        #expect(world.service.counts.users == 1 && world.service.counts.members == 1)
    }

    @Test func whoVanishesWhileCreatingLeavesARoomThatEnds() throws {
        let world = try World()
        let client = world.connect()
        world.store.holding = [.create]
        client.emit("create-room", #"{"roomId":"room"}"#)
        world.run()
        client.vanish()
        world.store.release()
        world.run()
        let room = try #require(try world.stored())
        #expect(room.control.members.isEmpty && room.control.emptySince > 0)
    }

    @Test func whoVanishedIsNotTriedAgainAndAgain() throws {
        let world = try World()
        _ = try world.host()
        let guest = world.connect()
        world.store.failing = [.commit: .unavailable("away")]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        guest.vanish()
        world.advance(.milliseconds(200))
        world.store.failing = [:]
        world.advance(.seconds(5))
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func eventsBehindAJoinWaitForIt() throws {
        let world = try World()
        let host = try world.host()
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        let ack = guest.call("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(guest.take().isEmpty)
        world.store.release()
        world.run()
        #expect(guest.next(ack)?["ok"]?.bool == true)
        #expect(host.next("receive-editor-object-update")?["objectUuid"]?.string == "a")
    }

    @Test func eventsBehindALeaveFindThemselvesOutside() throws {
        let world = try World()
        _ = try world.host()
        let guest = try world.guest()
        guest.emit("leave-room", #""room""#)
        guest.emit("sync-editor-object-update", Scenes.update("a"))
        world.run()
        #expect(guest.next("left-room")?["success"]?.bool == true)
        #expect(guest.next("editor-sync-error")?["code"]?.string == "USER_NOT_IN_ROOM")
        #expect(try world.stored()?.control.sceneVersion == 0)
    }

    @Test func whatWaitsBehindAJoinIsBoundedInNumberAndBytes() throws {
        var options = RoomServiceOptions()
        options.limits.waitingRequests = 3
        options.limits.waitingBytes = 1_000
        let world = try World(options: options)
        _ = try world.host()
        let guest = world.connect()
        world.store.holding = [.commit]
        guest.emit("join-room", #"{"roomId":"room"}"#)
        let acks = (0..<4).map { _ in guest.call("ping", "{}") }
        let other = world.connect()
        other.emit("join-room", #"{"roomId":"room"}"#)
        let large = #"{"filler":"\#(String(repeating: "x", count: 900))"}"#
        let largeAcks = (0..<2).map { _ in other.call("user-activity", large) }
        world.run()
        #expect(guest.next(acks[3])?["error"]?["code"]?.string == "RATE_LIMITED")
        #expect(other.next(largeAcks[1])?["error"]?["code"]?.string == "RATE_LIMITED")
        world.store.release()
        world.run()
        #expect(guest.next(acks[2])?["ok"]?.bool == true)
        #expect(other.next(largeAcks[0])?["ok"]?.bool == true)
        let again = other.call("user-activity", large)
        world.run()
        #expect(other.next(again)?["ok"]?.bool == true)
    }
}
