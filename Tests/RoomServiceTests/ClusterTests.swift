import Cluster
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RoomStore
import Rooms
import SocketIOServer
import Testing

@testable import RoomService

/// The driver of membership: leases, fences, who is gone.
@Suite struct ClusterTests {
    private static let ready = ClusterService.SelfReport(
        isReady: true, isDraining: false, rooms: 1, users: 2)

    /// What a probe of the other instance answers.
    private final class Answer: Sendable {
        private let box = NIOLockedValueBox<(result: ProbeResult, asked: Int)>((.silent, 0))
        var result: ProbeResult {
            get { box.withLockedValue { $0.result } }
            set { box.withLockedValue { $0.result = newValue } }
        }
        var asked: Int { box.withLockedValue { $0.asked } }

        func ask() -> ProbeResult {
            box.withLockedValue { value in
                value.asked += 1
                return value.result
            }
        }
    }

    private func started(_ answer: Answer = Answer()) throws -> (World, ScriptedLeases) {
        let loop = NIOLockedValueBox<(any EventLoop)?>(nil)
        let world = try World(
            hasLeases: true,
            probe: { _ in
                let loop = loop.withLockedValue { $0 }
                return (loop ?? MultiThreadedLoops.any).makeSucceededFuture(answer.ask())
            })
        loop.withLockedValue { $0 = world.loops[0] }
        world.cluster.start { Self.ready }
        world.run()
        return (world, try #require(world.leases))
    }

    private func isGone(_ world: World, _ incarnation: String) -> Bool? {
        let box = NIOLockedValueBox<Bool?>(nil)
        world.cluster.isGone(incarnation).whenSuccess { gone in
            box.withLockedValue { $0 = gone }
        }
        world.run()
        return box.withLockedValue { $0 }
    }

    // MARK: Heartbeat

    @Test func theLeaseIsRenewedEachSecondAndSaysHowThingsAre() throws {
        let (world, leases) = try started()
        world.advance(.seconds(5))
        #expect(leases.renewals.map(\.beat) == [1, 2, 3, 4, 5, 6])
        let lease = try #require(leases.renewals.last)
        #expect(lease.instanceID == "server-1" && lease.publicURL == "http://one")
        #expect(lease.isReady && lease.rooms == 1 && lease.users == 2)
        #expect(lease.incarnation == world.identity.incarnation)
        #expect(world.cluster.standing == .linked && world.cluster.ownsInstanceID)
    }

    @Test func clocksRunTogether() throws {
        let (world, leases) = try started()
        let ahead = Version(World.wall + 60_000) * VersionClock.unitsPerMillisecond
        leases.set(.other(beat: 1, clock: ahead))
        world.advance(.seconds(1))
        #expect(world.cluster.clock.next() > ahead)
    }

    @Test func onLeavingTheLeaseIsTakenAwayLast() throws {
        let (world, leases) = try started()
        world.advance(.seconds(2))
        _ = world.cluster.leave()
        world.advance(.seconds(5))
        #expect(leases.released == [world.identity.incarnation])
        #expect(leases.log.last == "release")
    }

    @Test func withoutTheStoreItStandsAlone() throws {
        let (world, leases) = try started()
        leases.isAway = true
        world.advance(.seconds(4))
        #expect(world.cluster.standing == .storeLost)
        leases.isAway = false
        world.advance(.seconds(1))
        #expect(world.cluster.standing == .linked)
    }

    // MARK: Fenced

    @Test func whoIsFencedGoesOnAsAnotherAndItsClientsReconnect() throws {
        let (world, leases) = try started()
        world.advance(.seconds(1))
        let before = world.identity.incarnation
        let (host, lobby) = (try world.host(), world.connect())
        leases.fenceOwn()
        world.advance(.seconds(1))
        let after = world.identity.incarnation
        #expect(after != before && after.hasPrefix("server-1#"))
        #expect(host.session.closed == .serverShutdown(code: 1012))
        #expect(lobby.session.closed == .serverShutdown(code: 1012))
        #expect(world.live() == nil && host.take().isEmpty && lobby.take().isEmpty)
        world.advance(.seconds(1))
        #expect(leases.renewals.last?.incarnation == after)
        #expect(world.service.roomMetrics.fenced == 1)
    }

    @Test func beingToldTwiceIsBeingFencedOnce() throws {
        let (world, _) = try started()
        let before = world.identity.incarnation
        world.service.environment.onFenced(before)
        world.run()
        let after = world.identity.incarnation
        world.service.environment.onFenced(before)
        world.run()
        #expect(world.identity.incarnation == after)
        #expect(world.service.roomMetrics.fenced == 1)
    }

    @Test func beingFencedWhileLeavingChangesNothingForOthers() throws {
        let (world, leases) = try started()
        let host = try world.host()
        leases.fenceOwn()
        _ = world.cluster.leave()
        world.service.environment.onFenced(world.identity.incarnation)
        world.advance(.seconds(3))
        #expect(!host.isConnected && leases.log.last == "release")
        #expect(world.live() == nil)
    }

    // MARK: Others

    @Test func aBeatThatStandsStillIsADeadInstance() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.set(.other(beat: 2))
        world.advance(.seconds(1))
        #expect(world.cluster.peers.first?.state == .ready)
        #expect(world.cluster.leases.count == 2)
        world.advance(.seconds(4))
        #expect(leases.fenced.isEmpty)
        world.advance(.seconds(3))
        #expect(leases.fenced.first == World.otherIncarnation)
        #expect(world.cluster.isKnownGone(World.otherIncarnation))
        #expect(world.cluster.peers.first?.state == .dead)
    }

    @Test func aBeatThatStandsStillAndARefusedConnectionIsOneToo() throws {
        let answer = Answer()
        let (world, leases) = try started(answer)
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.set(.other(beat: 2))
        world.advance(.seconds(1))
        answer.result = .refused
        world.advance(.milliseconds(3_500))
        #expect(answer.asked >= 1)
        #expect(world.cluster.isKnownGone(World.otherIncarnation))
    }

    @Test func roomsAreOwnedByTheLiving() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.set(.other(beat: 2))
        world.advance(.seconds(1))
        let owners = Set((0..<50).map { world.cluster.owner(of: "room-\($0)").id })
        #expect(owners == ["server-1", "server-2"])
        world.advance(.seconds(10))
        let survivors = Set((0..<50).map { world.cluster.owner(of: "room-\($0)").id })
        #expect(survivors == ["server-1"])
    }

    @Test func aSessionIsAtHomeWhereItsIDSaysUnlessThatInstanceIsDead() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.set(.other(beat: 2))
        world.advance(.seconds(1))
        let home = ForwardTarget(name: "server-2", host: "127.0.0.1", port: 3002)
        #expect(world.cluster.sessionHome("server-2.abc") == home)
        for sid in ["server-1.abc", "server-3.abc", "server-2", "abc", "", ".", "server-2.a.b"] {
            #expect(world.cluster.sessionHome(sid) == nil, "\(sid)")
        }
        #expect(world.cluster.sessionHome("server-2." + String(repeating: "a", count: 200)) == nil)
        world.advance(.seconds(10))
        #expect(world.cluster.sessionHome("server-2.abc") == nil)
    }

    // MARK: Is it gone?

    @Test func oneselfIsNotGone() throws {
        let (world, _) = try started()
        #expect(isGone(world, world.identity.incarnation) == false)
    }

    @Test func whatIsNoIncarnationIsGone() throws {
        let (world, _) = try started()
        #expect(isGone(world, "nobody") == true)
    }

    @Test func anEarlierLifeOfOurOwnIsGone() throws {
        let (world, leases) = try started()
        world.advance(.seconds(1))
        #expect(isGone(world, "server-1#0000000000000001") == true)
        #expect(leases.fenced == ["server-1#0000000000000001"])
    }

    @Test func aTwinThatMayLiveIsNotFenced() throws {
        let (world, leases) = try started()
        let twin = "server-1#0000000000000001"
        var lease = Lease.other(beat: 1, incarnation: twin)
        lease.instanceID = "server-1"
        let other = try World(hasLeases: true)
        other.leases?.set(lease)
        other.cluster.start { Self.ready }
        other.run()
        #expect(!other.cluster.ownsInstanceID)
        #expect(isGone(other, twin) == false)
        #expect(other.leases?.fenced.isEmpty == true)
        #expect(world.cluster.ownsInstanceID && leases.fenced.isEmpty)
    }

    @Test func aTwinThatStandsStillIsFencedAndTheIDIsOurs() throws {
        let world = try World(hasLeases: true)
        let leases = try #require(world.leases)
        var lease = Lease.other(beat: 1, incarnation: "server-1#0000000000000001")
        lease.instanceID = "server-1"
        leases.set(lease)
        world.cluster.start { Self.ready }
        world.advance(.seconds(1))
        #expect(!world.cluster.ownsInstanceID)
        world.advance(.seconds(4))
        #expect(leases.fenced.contains("server-1#0000000000000001"))
        #expect(world.cluster.ownsInstanceID)
    }

    @Test func aLivingTwinIsReported() throws {
        let world = try World(hasLeases: true)
        let leases = try #require(world.leases)
        let isTaken = NIOLockedValueBox(0)
        world.cluster.onInstanceIDTaken { isTaken.withLockedValue { $0 += 1 } }
        world.cluster.start { Self.ready }
        for beat in 0..<10 {
            var lease = Lease.other(
                beat: UInt64(beat), incarnation: "server-1#0000000000000001")
            lease.instanceID = "server-1"
            leases.set(lease)
            world.advance(.seconds(1))
        }
        #expect(isTaken.withLockedValue { $0 } == 1)
        #expect(!world.cluster.ownsInstanceID && leases.fenced.isEmpty)
    }

    @Test(arguments: [
        (ProbeResult.refused, true), (.silent, false),
        (
            .alive(
                incarnation: Incarnation(World.otherIncarnation), isReady: true,
                isDraining: false, isLinked: true), false
        ),
        (
            .alive(
                incarnation: Incarnation(instanceID: "server-2", nonce: 7), isReady: true,
                isDraining: false, isLinked: true), true
        ),
        (.alive(incarnation: nil, isReady: true, isDraining: false, isLinked: true), false),
    ])
    func knockingTellsWhoIsGone(result: ProbeResult, expected: Bool) throws {
        let answer = Answer()
        answer.result = result
        let (world, leases) = try started(answer)
        #expect(isGone(world, World.otherIncarnation) == expected)
        #expect(leases.fenced == (expected ? [World.otherIncarnation] : []))
        #expect(world.cluster.isKnownGone(World.otherIncarnation) == expected)
    }

    /// A frozen process refuses nothing, and its lease went with the fence.
    @Test func whatAnotherInstanceDeclaredDeadIsGoneHereWithTheNextLookAtTheLeases() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.set(.other(beat: 2))
        world.advance(.seconds(1))
        leases.fenceByAnother(World.otherIncarnation)
        world.advance(.seconds(1))
        #expect(world.cluster.isKnownGone(World.otherIncarnation))
        #expect(leases.fenced.isEmpty)
    }

    @Test func whoComesBackAsksWhetherItsSilentInstanceWasDeclaredDead() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        #expect(isGone(world, World.otherIncarnation) == false)
        leases.fenceByAnother(World.otherIncarnation)
        #expect(isGone(world, World.otherIncarnation) == true)
        #expect(world.cluster.isKnownGone(World.otherIncarnation))
    }

    @Test func aLeaseThatIsReleasedOrForgottenIsNoDeath() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.remove(World.otherIncarnation)
        world.advance(.seconds(2))
        #expect(!world.cluster.isKnownGone(World.otherIncarnation))
        #expect(isGone(world, World.otherIncarnation) == false)
        #expect(leases.fenced.isEmpty)
    }

    @Test func aStoreThatIsAwayFencesNobody() throws {
        let answer = Answer()
        answer.result = .refused
        let (world, leases) = try started(answer)
        leases.isAway = true
        #expect(isGone(world, World.otherIncarnation) == false)
        #expect(!world.cluster.isKnownGone(World.otherIncarnation))
    }

    @Test func aloneNobodyElseLives() throws {
        let world = try World()
        #expect(isGone(world, World.otherIncarnation) == true)
        #expect(world.cluster.ownsInstanceID && world.cluster.standing == .linked)
    }

    // MARK: Gone among

    @Test func holdersWithoutALeaseAreGoneAfterTheLeaseTime() throws {
        let (world, leases) = try started()
        world.service.stop()
        world.advance(.seconds(1))
        let holders: Set = [World.otherIncarnation, world.identity.incarnation]
        #expect(world.cluster.gone(among: holders) == [])
        world.advance(.seconds(4))
        #expect(world.cluster.gone(among: holders) == [] && leases.fenced.isEmpty)
        world.advance(.seconds(2))
        _ = world.cluster.gone(among: holders)
        world.run()
        #expect(world.cluster.gone(among: holders) == [World.otherIncarnation])
        #expect(leases.fenced == [World.otherIncarnation])
    }

    @Test func timeWithoutTheStoreDoesNotCount() throws {
        let (world, leases) = try started()
        world.advance(.seconds(1))
        _ = world.cluster.gone(among: [World.otherIncarnation])
        leases.isAway = true
        for _ in 0..<20 {
            world.advance(.seconds(1))
            #expect(world.cluster.gone(among: [World.otherIncarnation]) == [])
        }
        leases.isAway = false
        world.advance(.seconds(1))
        #expect(world.cluster.gone(among: [World.otherIncarnation]) == [])
        world.run()
        #expect(leases.fenced.isEmpty)
    }

    // MARK: Redirects

    @Test func aDirectClientOfAnothersRoomIsSentThere() throws {
        let (world, leases) = try started()
        leases.set(.other(beat: 1))
        world.advance(.seconds(1))
        leases.set(.other(beat: 2))
        world.advance(.seconds(1))
        let names = (0..<50).map { "room-\($0)" }
        let room = try #require(names.first { world.cluster.owner(of: $0).id == "server-2" })
        func request(
            _ query: [(name: String, value: String)], from address: String = "10.0.0.1"
        ) -> HandshakeRequest {
            HandshakeRequest(
                method: .GET, path: "/socket.io/", query: query, headers: ["host": "one"],
                remoteAddress: address, peerAddress: address, isWebSocket: true)
        }
        let error = world.cluster.redirect(request([("roomId", room)]))
        #expect(error?.message == "REDIRECT:http://two")
        #expect(error?.data?.json["owner"]?.string == "server-2")
        #expect(world.cluster.redirect(request([])) == nil)
        let old = world.cluster.redirect(
            request([("roomId", room), ("EIO", "3")], from: "10.0.0.2"))
        #expect(old == ConnectError(message: "REDIRECT:http://two"), "data would hide the message")
    }
}

/// A loop for what is asked before a world exists.
enum MultiThreadedLoops {
    static var any: any EventLoop { MultiThreadedEventLoopGroup.singleton.any() }
}
