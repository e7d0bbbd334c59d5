import Cluster
import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms
import Testing

@testable import RoomService

@Suite struct JanitorTests {
    @Test func anEmptyRoomIsKeptForItsTimeAndThenRemoved() throws {
        var options = RoomServiceOptions()
        options.emptyRoomMilliseconds = 60_000
        let world = try World(options: options)
        let host = try world.host()
        host.emit("leave-room", #""room""#)
        world.advance(.seconds(55))
        #expect(try world.stored() != nil)
        #expect(world.live() == nil)
        world.advance(.seconds(10))
        #expect(try world.stored() == nil)
        let lobby = world.connect()
        lobby.emit("get-rooms")
        world.run()
        #expect(lobby.next("rooms-list")?.elements.isEmpty == true)
    }

    @Test func aCopyThatNobodyUsesIsKeptWhileTheStoreMayHaveLostTheRoom() throws {
        let world = try World()
        let host = try world.host()
        world.isStoreSettled = false
        host.emit("leave-room", #""room""#)
        world.advance(.seconds(30))
        #expect(world.live() != nil)
        world.isStoreSettled = true
        world.advance(.seconds(10))
        #expect(world.live() == nil)
    }

    @Test func aRoomInUseIsNeverRemoved() throws {
        var options = RoomServiceOptions()
        options.emptyRoomMilliseconds = 1_000
        let world = try World(options: options)
        let host = try world.host()
        world.advance(.seconds(3_600))
        #expect(host.isConnected)
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func membersWhoDoNothingForADayAreStillMembers() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("S"))
        let guest = try world.guest()
        world.run()
        host.skip()
        guest.skip()
        world.advance(.seconds(24 * 3_600))
        #expect(host.isConnected && guest.isConnected)
        #expect(host.next("users-list") == nil && host.next("user-left") == nil)
        guest.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        #expect(guest.next("receive-full-editor")?["editorData"] != nil)
        guest.emit("sync-scene-fog-update", #"{"roomId":"room","fogData":null}"#)
        world.run()
        #expect(host.next("receive-scene-fog-update") != nil)
        let lobby = world.connect()
        lobby.emit("get-rooms")
        world.run()
        #expect(lobby.next("rooms-list")?.elements.first?["userCount"]?.int == 2)
        guest.vanish()
        world.run()
        #expect(host.next("users-list")?.elements.count == 1)
    }

    @Test func whoComesInAtTheLastMomentKeepsTheRoom() throws {
        var options = RoomServiceOptions()
        options.emptyRoomMilliseconds = 10_000
        let world = try World(options: options)
        let host = try world.host()
        host.emit("leave-room", #""room""#)
        world.advance(.seconds(9))
        world.store.holding = [.delete]
        world.advance(.seconds(3))
        #expect(world.store.held.first?.kind == .delete)
        let guest = try world.guest()
        world.store.release()
        world.advance(.seconds(10))
        #expect(guest.isConnected)
        #expect(try world.stored()?.control.members.count == 1)
    }

    @Test func emptyRoomsOfDeadTimesAreRemovedSomeAtATime() throws {
        var options = RoomServiceOptions()
        options.emptyRoomMilliseconds = 1_000
        options.limits.roomsCreatedPerMinute = 10_000
        let world = try World(options: options)
        let host = world.connect()
        for index in 0..<1_200 {
            host.emit("create-room", #"{"roomId":"room-\#(index)"}"#)
            world.run()
        }
        host.emit("leave-room", #""room-1199""#)
        world.advance(.seconds(1))
        let before = world.store.calls(.delete)
        world.store.holding = [.delete]
        world.advance(.seconds(2))
        #expect(world.store.calls(.delete) - before == 1_000)
        world.store.release()
        world.advance(.seconds(6))
        for index in [0, 500, 1_199] {
            #expect(try world.stored("room-\(index)") == nil)
        }
    }

    @Test func aCopyThatNobodyNeedsIsLetGo() throws {
        let world = try World()
        let host = try world.host()
        host.vanish()
        world.advance(.seconds(4))
        #expect(world.live() != nil)
        world.advance(.seconds(4))
        #expect(world.live() == nil && world.store.followedRooms.isEmpty)
        let guest = try world.guest()
        #expect(guest.isConnected && world.live() != nil)
    }

    @Test func aRoomWhoseDeletionWasMissedEndsHere() throws {
        let world = try World()
        let host = try world.host()
        world.store.base.contents = MemoryRooms()
        world.advance(.seconds(7))
        #expect(host.next("room-deleted") != nil)
        #expect(world.live() == nil)
    }

    @Test func aRoomThatIsNotListedYetGoesOn() throws {
        let world = try World()
        world.store.holding = [.summaries]
        world.advance(.seconds(3))
        let host = try world.host()
        world.store.holding = []
        while let held = world.store.takeHeld() { held.proceed() }
        world.advance(.seconds(10))
        #expect(host.isConnected && world.live() != nil && host.take().isEmpty)
    }

    @Test func whileRoomsAreRestoredNothingIsRemovedOrEnded() throws {
        var options = RoomServiceOptions()
        options.emptyRoomMilliseconds = 1_000
        let world = try World(options: options)
        let host = try world.host("other")
        host.emit("leave-room", #""other""#)
        world.run()
        world.isStoreSettled = false
        world.advance(.seconds(30))
        #expect(try world.stored("other") != nil)
    }

    @Test func aMemberOfOursInARoomNobodyServesIsTakenOff() throws {
        let world = try World()
        let host = try world.host()
        try world.onRoom { $0.end(announcing: nil, deletedBy: nil) }
        host.vanish()
        world.run()
        #expect(try world.stored()?.control.members.count == 1)
        world.advance(.seconds(8))
        #expect(try world.stored()?.control.members.isEmpty == true)
    }

    @Test func aListWithARoomTwiceIsNoTrap() throws {
        let world = try World()
        _ = try world.host()
        world.store.doublesSummaries = true
        world.advance(.seconds(5))
        #expect(world.live() != nil)
    }

    // MARK: The dead

    @Test func theMembersOfADeadInstanceAreTakenOffAfterTheTimeToReturn() throws {
        let world = try World(hasLeases: true)
        world.cluster.start { .init(isReady: true, isDraining: false, rooms: 0, users: 0) }
        world.advance(.seconds(1))
        let host = try world.host()
        try world.joinElsewhere("stranger")
        world.advance(.milliseconds(200))
        host.skip()
        // No lease of that incarnation for the lease time, then 3 s to return.
        world.advance(.seconds(5))
        #expect(try world.stored()?.control.members["stranger"] != nil)
        world.advance(.seconds(7))
        #expect(try world.stored()?.control.members["stranger"] == nil)
        #expect(host.takeNames() == ["user-left", "users-list", "user-count"])
        #expect(world.service.roomMetrics.membersSwept == 1)
        #expect(world.leases?.fenced.contains(World.otherIncarnation) == true)
        let version = try world.stored()?.version
        let calls = world.store.batches.count
        world.advance(.seconds(60))
        #expect(try world.stored()?.version == version && world.store.batches.count == calls)
    }

    private typealias Answer = NIOLockedValueBox<ProbeResult>

    /// A host here, and a stranger of another instance, which has just been declared dead.
    private func bereaved(_ answer: Answer) throws -> (World, TestClient) {
        var options = RoomServiceOptions()
        options.silentReturnMilliseconds = 15_000
        let loop = NIOLockedValueBox<(any EventLoop)?>(nil)
        let world = try World(
            hasLeases: true, options: options,
            probe: { _ in
                let loop = loop.withLockedValue { $0 }
                return (loop ?? MultiThreadedLoops.any)
                    .makeSucceededFuture(answer.withLockedValue { $0 })
            })
        loop.withLockedValue { $0 = world.loops[0] }
        world.cluster.start { .init(isReady: true, isDraining: false, rooms: 0, users: 0) }
        world.advance(.seconds(1))
        let host = try world.host()
        try world.joinElsewhere("stranger")
        for _ in 0..<60 where !world.cluster.isKnownGone(World.otherIncarnation) {
            world.advance(.milliseconds(250))
        }
        try #require(world.cluster.isKnownGone(World.otherIncarnation))
        host.skip()
        return (world, host)
    }

    @Test func theMembersOfASilentInstanceHaveTheTimeToNotice() throws {
        let answer = Answer(.silent)
        let (world, host) = try bereaved(answer)
        world.advance(.seconds(14))
        #expect(host.take().isEmpty)
        world.advance(.seconds(3))
        #expect(host.takeNames() == ["user-left", "users-list", "user-count"])
    }

    @Test func theMembersOfAnInstanceThatWakesUpHaveThreeSeconds() throws {
        let answer = Answer(.silent)
        let (world, host) = try bereaved(answer)
        world.advance(.seconds(6))
        let awake = try #require(Incarnation("server-2#00000000000000bb"))
        answer.withLockedValue {
            $0 = .alive(incarnation: awake, isReady: true, isDraining: false, isLinked: true)
        }
        world.advance(.seconds(2))
        #expect(host.take().isEmpty)
        world.advance(.seconds(3))
        #expect(host.takeNames() == ["user-left", "users-list", "user-count"])
    }

    @Test func theMembersOfAnInstanceThatIsGoneHaveThreeSeconds() throws {
        let answer = Answer(.refused)
        let (world, host) = try bereaved(answer)
        world.advance(.seconds(4))
        #expect(host.takeNames() == ["user-left", "users-list", "user-count"])
    }

    @Test func whoReturnsInTimeIsTheSameMember() throws {
        let world = try World(hasLeases: true)
        world.cluster.start { .init(isReady: true, isDraining: false, rooms: 0, users: 0) }
        let host = try world.host()
        let cookie = String(repeating: "d", count: 32)
        try world.joinElsewhere("old", credential: ResumeCookie.credential(of: cookie))
        world.advance(.seconds(9))
        #expect(world.cluster.isKnownGone(World.otherIncarnation))
        host.skip()
        let back = try world.guest(cookie: cookie)
        world.advance(.seconds(10))
        let members = try #require(try world.stored()).control.members
        #expect(members.keys.sorted() == [host.id, back.id].sorted())
        #expect(!host.takeNames().contains("user-left"))
    }

    @Test func aLivingInstancesMembersStay() throws {
        let world = try World(hasLeases: true)
        world.cluster.start { .init(isReady: true, isDraining: false, rooms: 0, users: 0) }
        _ = try world.host()
        try world.joinElsewhere("stranger")
        for beat in 0..<60 {
            world.leases?.set(.other(beat: UInt64(beat)))
            world.advance(.seconds(1))
        }
        #expect(try world.stored()?.control.members["stranger"] != nil)
        #expect(world.leases?.fenced.isEmpty == true)
    }

    @Test func roomsOfTheDeadAreSweptByTheirOwnersFirst() throws {
        let world = try World(hasLeases: true)
        world.cluster.start { .init(isReady: true, isDraining: false, rooms: 0, users: 0) }
        world.leases?.set(.other(beat: 1))
        world.advance(.seconds(1))
        let dead = "server-9#00000000000000bb"
        let names = (0..<12).map { "room-\($0)" }
        for (index, name) in names.enumerated() {
            let host = try world.host(name)
            try world.joinElsewhere("ghost-\(index)", room: name, holder: dead)
            host.vanish()
        }
        world.run()
        for beat in 2..<20 {
            world.leases?.set(.other(beat: UInt64(beat)))
            world.advance(.seconds(1))
        }
        for beat in 20..<60 {
            world.leases?.set(.other(beat: UInt64(beat)))
            world.advance(.seconds(1))
        }
        for name in names {
            #expect(try world.stored(name)?.control.members.isEmpty == true)
        }
    }
}

extension Lease {
    /// The lease of the other instance of a test's cluster.
    static func other(
        beat: UInt64, isReady: Bool = true, isDraining: Bool = false, clock: Version = 0,
        incarnation: String = World.otherIncarnation
    ) -> Lease {
        Lease(
            incarnation: incarnation, instanceID: "server-2", publicURL: "http://two", beat: beat,
            isReady: isReady, isDraining: isDraining, clock: clock, rooms: 3, users: 4)
    }
}
