import JSON
import RoomStore
import Rooms
import Testing

@testable import RoomService

/// Rooms that end: deleted here or elsewhere, unknown to the store, fenced.
@Suite struct EndTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"

    private func uuids(_ messages: [TestClient.Message]) -> [String] {
        messages.filter { $0.name == updated }.compactMap { $0.payload["objectUuid"]?.string }
    }

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
        #expect(Set(world.store.copies.keys) == ["room", "other"])
        #expect(world.store.copies["room"]?.version == (try world.stored()?.version))
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
}
