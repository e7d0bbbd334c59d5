import JSON
import Testing

@testable import RoomService

/// One client's requests: each is answered, whatever it is.
@Suite struct SessionTests {
    @Test(arguments: ClientEvent.allCases)
    func whateverAnEventCarriesItIsAnswered(event: ClientEvent) throws {
        var options = RoomServiceOptions()
        options.limits.noticesPerSecond = 1_000
        let world = try World(options: options)
        let deep = String(repeating: "[", count: 400) + String(repeating: "]", count: 400)
        let payloads: [String?] = [
            nil, "null", "true", "-0.5e-3", "1e400", #""""#, #""room""#, "[]", "[[]]", "{}",
            #"{"roomId":null}"#, #"{"roomId":7}"#, #"{"roomId":{"roomId":"room"}}"#,
            #"{"roomId":"room"}"#, #"{"roomId":"room","objectUuid":1,"objectData":"x"}"#,
            #"{"roomId":"room","objectData":{},"objectUuid":""}"#,
            #"{"roomId":"room","objectId":"","materialUuid":"","materialData":{}}"#,
            #"{"roomId":"room","script":{},"objectUuid":"a"}"#,
            #"{"roomId":"room","backgroundData":{"type":"Color"},"fogData":7}"#,
            #"{"roomId":"room","editorData":{"scene":\#(deep),"camera":{}}}"#,
            #"{"roomId":"room","password":[],"userName":{}}"#, deep,
            #"{"_placeholder":true,"num":0}"#, #"{"roomId":"\u0000\ud800"}"#,
        ]
        for (index, payload) in payloads.enumerated() {
            let member = try world.host("fuzz-\(index)")
            let other = world.connect()
            for client in [member, other] {
                let ack = client.call(event.rawValue, payload)
                world.advance(.seconds(6))
                let names = client.takeNames()
                #expect(names.contains(ack), "\(event.rawValue) \(payload ?? "") \(names)")
                #expect(client.isConnected)
            }
            member.vanish()
            other.vanish()
            world.run()
        }
        #expect(world.service.counts.users == 0)
    }

    @Test func theClientsOfAnAddressShareItsEventsAndAreForgottenWithTheLast() throws {
        var options = RoomServiceOptions()
        options.limits.eventsPerSecondPerAddress = 1
        options.limits.eventBurstPerAddress = 4
        let world = try World(loops: 2, options: options)
        let first = world.connect()
        let second = world.connect(loop: 1)
        let other = world.connect(address: "10.0.0.2")
        for client in [first, second, first, second, first, other] { client.emit("ping") }
        world.run()
        #expect(first.takeNames() == ["pong", "pong", "editor-sync-error"])
        #expect(second.takeNames() == ["pong", "pong"])
        #expect(other.takeNames() == ["pong"])
        let answer = second.call("user-activity")
        world.run()
        #expect(second.next(answer)?["error"]?["code"]?.string == "RATE_LIMITED")
        world.advance(.seconds(2))
        first.emit("ping")
        world.run()
        #expect(first.takeNames() == ["pong"])
        for client in [first, second, other] { client.vanish() }
        world.run()
        #expect(world.service.addressBudgets.count == 0)
    }

    @Test func unknownEventsAreNothing() throws {
        let world = try World()
        let host = try world.host()
        host.emit("chat-message", #"{"roomId":"room"}"#)
        world.run()
        #expect(host.take().isEmpty && host.isConnected)
    }

    @Test func oldToolsAreAnswered() throws {
        let world = try World()
        let host = try world.host()
        host.emit("ping")
        host.emit("get-user-info")
        host.emit("get-user-stats")
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == ["pong", "user-info", "user-stats"])
        #expect(messages[1].payload["name"]?.string == "Hanna")
        #expect(messages[1].payload["roomId"]?.string == "room")
        #expect(messages[2].payload["totalUsers"]?.int == 1)
        #expect(messages[2].payload["activeRooms"]?.int == 1)
    }

    @Test func theListOfRoomsGoesToTheAskerAsAPlainArray() throws {
        let world = try World()
        _ = try world.host("first", editor: Scenes.editor("a"))
        world.advance(.seconds(1))
        let second = try world.host("second")
        let lobby = world.connect()
        let ack = lobby.call("get-rooms")
        world.run()
        let messages = lobby.take()
        #expect(messages.map(\.name) == ["rooms-list", ack])
        let rooms = messages[0].payload.elements
        #expect(rooms.map { $0["id"]?.string } == ["second", "first"])
        #expect(rooms.map { $0["userCount"]?.int } == [1, 1])
        #expect(rooms.map { $0["hasEditor"]?.bool } == [false, true])
        #expect(rooms[0]["isProtected"]?.bool == false)
        #expect(["server-1", "server-2"].contains(rooms[0]["serverInstance"]?.string))
        #expect(rooms[0]["host"]?.string == "Hanna")
        #expect(!messages[0].payload.text.contains(second.id))
        #expect(second.take().isEmpty)
    }

    @Test func tooManyEventsAreRefusedAndTheAckStillAnswered() throws {
        var options = RoomServiceOptions()
        options.limits.eventsPerSecond = 10
        options.limits.eventBurst = 20
        options.limits.noticesPerSecond = 1
        let world = try World(options: options)
        let client = world.connect()
        let acks = (0..<40).map { _ in client.call("user-activity") }
        world.run()
        let messages = client.take()
        let answers = acks.map { ack in messages.first { $0.name == ack }?.payload["ok"]?.bool }
        #expect(answers.prefix(20).allSatisfy { $0 == true })
        #expect(answers.suffix(20).allSatisfy { $0 == false })
        #expect(messages.count { $0.name == "editor-sync-error" } == 5)
        #expect(world.service.roomMetrics.rateLimited == 20)
        world.advance(.seconds(1))
        let late = client.call("user-activity")
        world.run()
        #expect(client.next(late)?["ok"]?.bool == true)
    }

    @Test func aMessageThatIsTooLargeIsAnsweredAndTheSocketStaysOpen() throws {
        let world = try World()
        let host = try world.host()
        host.discard(20_000_000, prefix: #"27["sync-full-editor",{"roomId":"#)
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == ["ack 7", "sync-full-editor-error"])
        #expect(messages[1].payload["code"]?.string == "TOO_LARGE")
        host.discard(20_000_000, prefix: #"2["create-room",{"roomId":"#)
        host.discard(20_000_000, prefix: #"2["something",{"#)
        world.run()
        let more = host.take()
        #expect(more.map(\.name) == ["room-creation-failed", "editor-sync-error"])
        #expect(more[0].payload["code"]?.string == "VALIDATION_ERROR")
        #expect(host.isConnected && world.service.roomMetrics.oversizedMessages == 3)
    }

    @Test func sessionsAndRoomsLeaveNothingBehind() throws {
        let world = try World()
        weak var room: LiveRoom?
        for index in 0..<20 {
            let host = try world.host("room-\(index)")
            let guest = try world.guest("room-\(index)")
            if index == 0 { room = world.live("room-0") }
            guest.vanish()
            if index % 2 == 0 {
                host.emit("delete-room", #"{"roomId":"room-\#(index)"}"#)
                world.run()
            }
            host.vanish()
        }
        world.advance(.seconds(20))
        #expect(world.service.counts == .init(users: 0, rooms: 0, members: 0))
        #expect(world.store.followedRooms.isEmpty)
        #expect(world.loops[0].perform { world.service.registry.shards[0].liveRooms.isEmpty })
        #expect(room == nil)
        // The janitor's own timer.
        #expect(world.loops[0].taskCount == 1)
    }

    @Test func aRoomThatEndedIsHeldByNobodysSession() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        let live = try #require(world.live())
        host.emit("delete-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(guest.isConnected && live.isGone)
        #expect(live.state.scene.editorData() == nil && live.links.isEmpty)
    }

    @Test func aShutdownIsAnnouncedToTheOwnClients() throws {
        let world = try World()
        let (host, lobby) = (try world.host(), world.connect())
        world.service.announceShutdown()
        world.run()
        #expect(host.takeNames() == ["server-shutdown"] && lobby.takeNames() == ["server-shutdown"])
    }

    @Test func refusalsSpeakTheLanguageOfTheInstallation() throws {
        var options = RoomServiceOptions()
        options.language = .spanish
        let world = try World(options: options)
        let client = world.connect()
        client.emit("join-room", #"{"roomId":"nowhere"}"#)
        world.run()
        #expect(client.next("join-room-failed")?["error"]?.string == "La sala no existe")
    }
}
