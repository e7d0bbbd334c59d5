import JSON
import NIOCore
import Testing

@testable import RoomService

/// A room and its members on different event loops, which run in the order that the test chooses.
@Suite struct LoopTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"

    /// A loop that does not serve the room, and a room that loop 0 serves.
    private func roomOnLoopZero(_ world: World) throws -> String {
        let names = (0..<20).map { "room-\($0)" }
        return try #require(names.first { world.loop(of: $0) === world.loops[0] })
    }

    @Test func whoIsWelcomedOnASlowLoopMissesNothingThatHappensMeanwhile() throws {
        let world = try World(loops: 2)
        let room = try roomOnLoopZero(world)
        let host = try world.host(room)
        host.skip()
        let guest = world.connect(loop: 1)
        guest.emit("join-room", #"{"roomId":"\#(room)"}"#)
        // The guest's loop stands still from here on; the room's goes on.
        world.loops[1].run()
        world.loops[0].run()
        for name in ["a", "b"] { host.emit(update, Scenes.update(name, room: room)) }
        world.loops[0].run()
        host.emit("user-name-change", #"{"roomId":"\#(room)","userName":"Neu"}"#)
        world.loops[0].run()
        world.run()
        host.emit(update, Scenes.update("c", room: room))
        world.advance(.seconds(1))
        let messages = guest.take()
        let uuids = messages.filter { $0.name == updated }
            .compactMap { $0.payload["objectUuid"]?.string }
        #expect(uuids == ["a", "b", "c"])
        #expect(messages.filter { $0.name == "user-name-changed" }.count == 1)
        #expect(messages.first?.name == "joined-room")
    }

    @Test func whoEntersWhileASceneIsShownGetsItOnce() throws {
        let world = try World(loops: 2)
        let room = try roomOnLoopZero(world)
        let host = try world.host(room)
        host.skip()
        let guest = world.connect(loop: 1)
        guest.emit("join-room", #"{"roomId":"\#(room)"}"#)
        world.loops[1].run()
        world.loops[0].run()
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("a"), room: room))
        world.loops[0].run()
        world.advance(.seconds(2))
        #expect(guest.takeNames().filter { $0 == "receive-full-editor" }.count == 1)
    }

    @Test func theOrderIsTheSameForAllWhicheverLoopTheyAreOn() throws {
        let world = try World(loops: 3)
        let room = try roomOnLoopZero(world)
        var clients = [try world.host(room)]
        for index in 0..<5 { clients.append(try world.guest(room, loop: index % 3)) }
        world.advance(.seconds(1))
        for client in clients { client.skip() }
        for index in 0..<60 {
            clients[index % 6].emit(update, Scenes.update("n\(index)", room: room))
            if index % 7 == 0 { world.loops[index % 3].runOne() }
        }
        world.run()
        let seen = clients.map { client in
            client.take().filter { $0.name == updated }
                .compactMap { $0.payload["version"]?.int }
        }
        let all = Set(seen.joined()).sorted()
        #expect(all.count == 60)
        for versions in seen { #expect(versions == versions.sorted() && versions.count == 50) }
    }

    @Test func anAckComesBehindWhatItsCommitSentTheAsker() throws {
        let world = try World(loops: 2)
        let room = try roomOnLoopZero(world)
        _ = try world.host(room, editor: Scenes.editor("a"))
        let guest = world.connect(loop: 1)
        let ack = guest.call("join-room", #"{"roomId":"\#(room)"}"#)
        world.run()
        #expect(
            guest.takeNames() == [
                "joined-room", "receive-full-editor", "users-list", "user-count", ack,
            ])
    }

    @Test func whoVanishesBeforeTheRoomKnowsOfHimIsTakenOff() throws {
        let world = try World(loops: 2)
        let room = try roomOnLoopZero(world)
        let host = try world.host(room)
        for turns in 0..<12 {
            let guest = world.connect(loop: 1)
            guest.emit("join-room", #"{"roomId":"\#(room)"}"#)
            for turn in 0..<turns { world.loops[turn % 2].runOne() }
            guest.vanish()
            world.advance(.seconds(5))
            #expect(try world.stored(room)?.control.members.keys.sorted() == [host.id])
        }
        #expect(world.service.counts == .init(users: 1, rooms: 1, members: 1))
    }

    @Test func aRoomClosedWhileSomebodyComesInIsOpenedAgain() throws {
        let world = try World(loops: 2)
        let room = try roomOnLoopZero(world)
        let host = try world.host(room)
        for turns in 0..<12 {
            let guest = world.connect(loop: 1)
            guest.emit("join-room", #"{"roomId":"\#(room)"}"#)
            for turn in 0..<turns { world.loops[turn % 2].runOne() }
            if let live = world.live(room) {
                world.loops[0].perform { live.end(announcing: nil, deletedBy: nil) }
            }
            world.advance(.seconds(5))
            #expect(guest.next("joined-room") != nil)
            #expect(world.store.followedRooms == [room])
            guest.vanish()
            world.run()
        }
        #expect(host.isConnected)
    }
}
