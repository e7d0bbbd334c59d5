import JSON
import RoomStore
import Rooms
import SocketIOServer
import Testing

@testable import RoomService

/// What is told to servers of other kinds: what was committed here, once, and nothing else.
@Suite struct MirrorTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"

    private func target(except ids: String...) -> BroadcastTarget {
        BroadcastTarget(rooms: ["room:room"], except: Set(ids))
    }

    @Test func anEditIsMirroredAsTheMembersGetItWithoutItsAuthor() throws {
        let world = try World(mirrors: true)
        let (host, guest) = (try world.host(), try world.guest())
        _ = world.mirror.take()
        host.emit(update, Scenes.update("a"))
        world.run()
        let mirrored = world.mirror.take()
        #expect(mirrored.map(\.name) == [updated])
        #expect(mirrored[0].target == target(except: host.id))
        #expect(mirrored[0].payload == guest.next(updated))
    }

    @Test func aMemberAloneIsMirroredToo() throws {
        let world = try World(mirrors: true)
        let host = try world.host()
        _ = world.mirror.take()
        host.emit(update, Scenes.update("a"))
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "b")))
        world.run()
        let mirrored = world.mirror.take()
        #expect(mirrored.map(\.name) == [updated, "receive-full-editor"])
        #expect(mirrored.map(\.target) == [target(except: host.id), target(except: host.id)])
        #expect(Scenes.objects(mirrored[1].payload) == ["a", "b"])
    }

    @Test func aSceneIsMirroredOnceWhetherMembersAreBusyOrNot() throws {
        let world = try World(mirrors: true)
        let host = try world.host(editor: Scenes.editor("a"))
        let (busy, idle) = (try world.guest(name: "Busy"), try world.guest(name: "Idle"))
        world.advance(.seconds(1))
        busy.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        _ = world.mirror.take()
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "b")))
        world.run()
        let mirrored = world.mirror.take()
        #expect(mirrored.map(\.name) == ["receive-full-editor"])
        #expect(mirrored[0].target == target(except: host.id))
        #expect(idle.next("receive-full-editor") != nil)
    }

    @Test func whatOthersCommitIsDeliveredAndNotMirrored() throws {
        let world = try World(mirrors: true)
        let host = try world.host(editor: Scenes.editor("s"))
        world.advance(.seconds(1))
        host.skip()
        _ = world.mirror.take()
        try world.joinElsewhere("stranger")
        try world.editElsewhere("x", by: "stranger")
        try world.commitElsewhere([.renamed(memberID: "stranger", name: "Neu")])
        world.advance(.seconds(1))
        try world.commitElsewhere([.left(memberID: "stranger", cause: .left)])
        world.advance(.seconds(1))
        let names = host.takeNames()
        #expect(Set(names).isSuperset(of: ["user-joined", updated, "user-left", "users-list"]))
        #expect(world.mirror.take().map(\.name) == [])
    }

    @Test func membersWhoComeAndGoHereAreMirroredWithTheList() throws {
        let world = try World(mirrors: true)
        _ = try world.host()
        world.advance(.seconds(1))
        _ = world.mirror.take()
        let guest = try world.guest()
        let joined = world.mirror.take()
        #expect(joined.map(\.name) == ["user-joined", "users-list", "user-count"])
        #expect(joined[0].target == target(except: guest.id))
        #expect(joined[1].payload.elements.count == 2 && joined[2].payload.int == 2)
        guest.emit("user-name-change", #"{"roomId":"room","userName":"Neu"}"#)
        guest.emit("leave-room", #""room""#)
        world.advance(.seconds(1))
        let later = world.mirror.take()
        #expect(
            later.map(\.name) == ["user-name-changed", "user-left", "users-list", "user-count"])
        #expect(later[1].target == target(except: guest.id))
    }

    @Test func aLateListIsMirroredIfAnyChangeInItWasOfThisInstance() throws {
        let world = try World(mirrors: true)
        _ = try world.host()
        world.advance(.seconds(1))
        try world.joinElsewhere("stranger")
        _ = world.mirror.take()
        try world.joinElsewhere("another")
        _ = try world.guest()
        world.advance(.seconds(1))
        #expect(world.mirror.take().map(\.name) == ["user-joined", "users-list", "user-count"])
        try world.joinElsewhere("third")
        world.advance(.seconds(1))
        #expect(world.mirror.take().isEmpty)
    }

    @Test func anEditWhoseAnswerWasLostIsMirroredOnceFromItsNotice() throws {
        let world = try World(mirrors: true)
        let (host, guest) = (try world.host(), try world.guest())
        guest.skip()
        _ = world.mirror.take()
        world.store.holding = [.commit]
        host.emit(update, Scenes.update("a"))
        world.run()
        world.store.holding = []
        try #require(world.store.takeHeld()).loseAnswer()
        world.advance(.seconds(5))
        #expect(guest.takeNames().filter { $0 == updated }.count == 1)
        #expect(world.mirror.take().map(\.name) == [updated])
    }

    @Test(arguments: [true, false])
    func aDeletionIsMirroredByTheInstanceThatMadeIt(isHere: Bool) throws {
        let world = try World(mirrors: true)
        let (host, guest) = (try world.host(), try world.guest())
        _ = world.mirror.take()
        if isHere {
            host.emit("delete-room", #"{"roomId":"room"}"#)
        } else {
            let state = try #require(try world.stored())
            _ = world.other.delete(
                CommitBatch(
                    room: "room", epoch: state.control.epoch, origin: World.otherIncarnation,
                    entries: [RoomEntry(id: "other-d", change: .deleted(by: host.id))],
                    proposed: 0, expected: state.version, conditional: true,
                    summary: RoomSummary(state.control)))
        }
        world.run()
        #expect(guest.next("room-deleted") != nil)
        let mirrored = world.mirror.take()
        #expect(mirrored.map(\.name) == (isHere ? ["room-deleted"] : []))
        #expect(mirrored.allSatisfy { $0.target == target() })
    }
}
