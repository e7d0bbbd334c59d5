import JSON
import Rooms
import Testing

@testable import RoomService

/// Who is in a room and who is its host.
@Suite struct PresenceTests {
    private func list(_ client: TestClient) -> [String] {
        client.next("users-list")?.elements.compactMap {
            "\($0["name"]?.string ?? "") \($0["role"]?.string ?? "")"
        } ?? []
    }

    @Test func listsOfABigRoomAreFewer() throws {
        var options = RoomServiceOptions()
        options.limits.listBytesPerSecond = 1_000
        let world = try World(options: options)
        let host = try world.host()
        world.advance(.seconds(5))
        host.skip()
        for number in 2...4 { _ = try world.guest(name: "G\(number)") }
        // The first at once; the next says all else, once the bytes of a list are used up.
        #expect(list(host).count == 2)
        world.advance(.milliseconds(850))
        #expect(!host.takeNames().contains("users-list"))
        world.advance(.milliseconds(100))
        #expect(list(host).count == 4)
        world.advance(.seconds(5))
        #expect(host.takeNames() == ["user-count"])
    }

    @Test func whoLeavesIsTakenOffTheListOfTheOthers() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest()
        world.advance(.milliseconds(200))
        host.skip()
        let ack = guest.call("leave-room", #""room""#)
        world.run()
        let messages = guest.take()
        #expect(messages.map(\.name) == ["left-room", ack])
        #expect(messages[0].payload["success"]?.bool == true)
        let seen = host.take()
        #expect(seen.map(\.name) == ["user-left", "users-list", "user-count"])
        #expect(seen[0].payload["userName"]?.string == "Gast")
        #expect(seen[0].payload["userCount"]?.int == 1)
    }

    @Test func leavingARoomOneIsNotInIsAnswered() throws {
        let world = try World()
        _ = try world.host()
        let client = world.connect()
        for payload in [#""room""#, #"{"roomId":"room"}"#, "null", "7"] {
            let ack = client.call("leave-room", payload)
            world.run()
            let messages = client.take()
            #expect(messages.map(\.name) == [ack, "left-room"])
            #expect(messages[1].payload["success"]?.bool == false)
        }
    }

    @Test func aHostWhoLeavesHandsOverAtOnce() throws {
        let world = try World()
        let host = try world.host()
        let first = try world.guest(name: "Eins")
        let second = try world.guest(name: "Zwei")
        world.advance(.milliseconds(200))
        first.skip()
        host.emit("leave-room", #""room""#)
        world.run()
        #expect(list(first) == ["Eins host", "Zwei guest"])
        first.emit("delete-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(second.next("room-deleted") != nil)
    }

    @Test func aHostWhoVanishesKeepsTheRoleForTheGraceTime() throws {
        let world = try World()
        let cookie = String(repeating: "c", count: 32)
        let host = try world.host(cookie: cookie)
        let guest = try world.guest()
        host.vanish()
        world.advance(.seconds(30))
        #expect(list(guest).contains("Gast guest"))
        let again = world.connect(cookie: cookie)
        again.emit("join-room", #"{"roomId":"room","userName":"Hanna"}"#)
        world.run()
        #expect(again.next("joined-room")?["isHost"]?.bool == true)
        world.advance(.seconds(120))
        #expect(try world.stored()?.control.hostID == again.id)
    }

    @Test func afterTheGraceTheOldestMemberIsHost() throws {
        let world = try World()
        let host = try world.host()
        let guest = try world.guest()
        world.advance(.milliseconds(200))
        host.vanish()
        world.advance(.seconds(59))
        guest.skip()
        #expect(try world.stored()?.control.hostID == nil)
        world.advance(.seconds(3))
        #expect(list(guest) == ["Gast host"])
        let version = try world.stored()?.version
        world.advance(.seconds(10))
        #expect(try world.stored()?.version == version)
    }

    @Test func aRenameIsToldToTheOthersAndListed() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        world.advance(.milliseconds(200))
        host.skip()
        guest.skip()
        let ack = guest.call("user-name-change", #"{"roomId":"room","userName":" Neu "}"#)
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == ["user-name-changed", "users-list", "user-count"])
        #expect(messages[0].payload["userName"]?.string == "Neu")
        #expect(messages[0].payload["oldName"]?.string == "Gast")
        #expect(guest.takeNames() == ["users-list", "user-count", ack])
        let same = guest.call("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        world.run()
        #expect(guest.takeNames() == [same] && host.take().isEmpty)
    }

    @Test func peopleOfOneNameAreSeveral() throws {
        let world = try World()
        let host = try world.host(name: "")
        for _ in 0..<2 { _ = try world.guest(name: "") }
        world.advance(.milliseconds(200))
        let lists = host.take().filter { $0.name == "users-list" }
        #expect(lists.last?.payload.elements.count == 3)
        let control = try #require(try world.stored()).control
        #expect(control.members.values.map(\.name) == Array(repeating: "Anónimo", count: 3))
        #expect(control.hostID == host.id)
    }

    @Test func manyChangesAreOneListATenthOfASecond() throws {
        let world = try World()
        let host = try world.host()
        let guests = try (0..<30).map { _ in try world.guest() }
        world.advance(.seconds(1))
        let lists = host.take().filter { $0.name == "users-list" }
        #expect(lists.count <= 3)
        #expect(lists.last?.payload.elements.count == 31)
        for guest in guests { guest.vanish() }
        world.advance(.seconds(1))
        let after = host.take().filter { $0.name == "users-list" }
        #expect(after.count <= 2 && after.last?.payload.elements.count == 1)
    }

    @Test func theListEndsRightForEverybody() throws {
        let world = try World()
        let host = try world.host()
        let guests = try (0..<10).map { _ in try world.guest() }
        world.advance(.seconds(1))
        for client in guests + [host] {
            let lists = client.take().filter { $0.name == "users-list" }
            // The last to come has had his list with his welcome.
            #expect(lists.last.map { $0.payload.elements.count == 11 } ?? (client === guests[9]))
        }
    }

    @Test func everyEditEventNeedsMembership() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let stranger = world.connect()
        let events: [(String, String)] = [
            ("sync-editor-object-update", Scenes.update("x")),
            ("sync-editor-object-removal", #"{"roomId":"room","objectId":"a"}"#),
            (
                "sync-editor-material-update",
                #"{"roomId":"room","materialUuid":"m","materialData":{}}"#
            ),
            ("sync-scene-background-update", #"{"roomId":"room","backgroundData":null}"#),
            ("sync-scene-fog-update", #"{"roomId":"room","fogData":null}"#),
            (
                "sync-script-added",
                #"{"roomId":"room","objectUuid":"a","script":{"name":"s","source":""}}"#
            ),
            (
                "sync-script-changed",
                #"{"roomId":"room","objectUuid":"a","script":{"name":"s","source":""}}"#
            ),
            (
                "sync-script-removed",
                #"{"roomId":"room","objectUuid":"a","script":{"name":"s"}}"#
            ),
            ("request-editor-sync", #"{"roomId":"room"}"#),
            ("user-name-change", #"{"roomId":"room","userName":"x"}"#),
        ]
        let version = try world.stored()?.version
        for (event, payload) in events {
            stranger.emit(event, payload)
            world.run()
            let messages = stranger.take()
            #expect(messages.map(\.name) == ["editor-sync-error"], "\(event)")
            #expect(messages.first?.payload["code"]?.string == "USER_NOT_IN_ROOM", "\(event)")
            world.advance(.seconds(1))
        }
        stranger.emit("sync-full-editor", Scenes.upload(Scenes.editor("x")))
        world.run()
        #expect(stranger.next("sync-full-editor-error")?["code"]?.string == "USER_NOT_IN_ROOM")
        #expect(try world.stored()?.version == version && host.take().isEmpty)
    }

    @Test func aMemberElsewhereIsNotOneHere() throws {
        let world = try World()
        _ = try world.host()
        try world.joinElsewhere("stranger")
        let control = try #require(world.live()).control
        #expect(control.members.count == 2)
        #expect(world.service.counts.members == 1 && world.service.counts.rooms == 1)
    }
}
