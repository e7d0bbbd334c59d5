import Cluster
import Testing

@Suite struct MembershipTests {
    @Test("a peer is up once its beat has moved, not at the first sight of a lease")
    func firstSight() throws {
        var scene = try Scene()
        #expect(scene.state("s2") == .unknown)
        #expect(scene.read(lease("s2", 7)) == [.standingChanged(.linked)])
        #expect(scene.state("s2") == .joining)
        #expect(scene.read(lease("s2", 8)) == [.peerUp(id: "s2")])
        #expect(scene.state("s2") == .ready)
        #expect(scene.read(lease("s2", 9)) == [])
    }

    @Test("a lease that says draining or not ready takes the peer out")
    func flags() throws {
        var scene = try Scene.settled()
        #expect(
            scene.read(lease("s2", 3, draining: true), lease("s3", 3, ready: false)) == [
                .peerDown(id: "s2"), .peerDown(id: "s3"),
            ])
        #expect(scene.state("s2") == .draining)
        #expect(scene.state("s3") == .joining)
        #expect(scene.read(lease("s2", 4), lease("s3", 4)).count == 2)
    }

    @Test("a beat that stands still is asked after at 2 s and declared dead at 5 s")
    func frozenPeer() throws {
        var scene = try Scene.settled()
        #expect(scene.read(lease("s2", 2), lease("s3", 3)) == [])
        let node = try #require(try threeNodes()[id: "s2"])
        #expect(scene.read(lease("s2", 2), lease("s3", 4)) == [.probe(node)])
        #expect(scene.probe("s2", .silent) == [])
        #expect(scene.read(lease("s2", 2), lease("s3", 5)) == [.probe(node)])
        #expect(scene.read(lease("s2", 2), lease("s3", 6)) == [.probe(node)])
        #expect(scene.state("s2") == .ready)
        #expect(
            scene.read(lease("s2", 2), lease("s3", 7)) == [
                .declareDead(incarnation("s2"), beat: 2), .peerDown(id: "s2"),
            ])
        #expect(scene.state("s2") == .dead)
        #expect(
            scene.read(lease("s2", 2), lease("s3", 8)) == [
                .declareDead(incarnation("s2"), beat: 2)
            ])
        #expect(scene.read(lease("s3", 9)) == [])
        #expect(scene.state("s2") == .dead)
    }

    @Test("a killed peer, whose port refuses, is declared dead as soon as it is suspect")
    func killedPeer() throws {
        var scene = try Scene.settled()
        _ = scene.read(lease("s2", 2), lease("s3", 3))
        // Not suspect yet: a refusal alone proves nothing.
        #expect(scene.probe("s2", .refused) == [])
        _ = scene.read(lease("s2", 2), lease("s3", 4))
        #expect(
            scene.probe("s2", .refused) == [
                .declareDead(incarnation("s2"), beat: 2), .peerDown(id: "s2"),
            ])
    }

    @Test("a restarted peer answers as another incarnation: the old one is dead, the new one is up")
    func restartedPeer() throws {
        var scene = try Scene.settled()
        _ = scene.read(lease("s2", 2))
        _ = scene.read(lease("s2", 2))
        #expect(
            scene.probe("s2", alive("s2", nonce: 9, linked: true)) == [
                .declareDead(incarnation("s2"), beat: 2), .peerDown(id: "s2"),
            ])
        #expect(scene.read(lease("s2", 1, nonce: 9)) == [])
        #expect(scene.read(lease("s2", 2, nonce: 9)) == [.peerUp(id: "s2")])
        #expect(scene.membership.peer("s2", now: scene.now)?.incarnation?.nonce == 9)
    }

    @Test("a peer that was declared dead and beats again is alive again")
    func revivedPeer() throws {
        var scene = try Scene.settled()
        for _ in 0..<6 { _ = scene.read(lease("s2", 2)) }
        #expect(scene.state("s2") == .dead)
        #expect(scene.read(lease("s2", 3)) == [.peerUp(id: "s2")])
    }

    @Test("a lease that is released takes the peer out at once")
    func released() throws {
        var scene = try Scene.settled()
        #expect(scene.read(lease("s3", 3)) == [.peerDown(id: "s2")])
        #expect(scene.state("s2") == .dead)
    }

    @Test("after a pause of our own nobody is judged by the time we did not look")
    func ownFreeze() throws {
        var scene = try Scene.settled()
        let thawed = scene.read(lease("s2", 2), lease("s3", 2), after: 60)
        #expect(!thawed.contains { if case .declareDead = $0 { true } else { false } })
        #expect(scene.state("s2") == .ready)
        for beat in 3...6 { _ = scene.read(lease("s2", UInt64(beat)), lease("s3", 2)) }
        #expect(scene.state("s3") == .ready)
        #expect(
            scene.read(lease("s2", 7), lease("s3", 2)).contains(
                .declareDead(incarnation("s3"), beat: 2)))
        #expect(scene.state("s2") == .ready)
    }

    @Test("our lease is fresh for 5 s from the request that renewed it, and not beyond")
    func ownLease() throws {
        var membership = Membership(own: incarnation("s1"), nodes: try threeNodes(), now: s(0))
        #expect(!membership.isOwnLeaseFresh(now: s(0)))
        _ = membership.leasesRead([], sentAt: s(1), now: s(2))
        #expect(membership.isOwnLeaseFresh(now: s(5.9)))
        #expect(!membership.isOwnLeaseFresh(now: s(6)))
    }

    @Test("without the store peers are asked directly, and all that lost it are degraded")
    func storeLost() throws {
        var scene = try Scene.settled()
        #expect(scene.membership.leaseRenewalFailed(now: scene.now) == [])
        let lost = scene.tick(after: 2)
        #expect(lost.first == .standingChanged(.storeLost))
        #expect(lost.filter(isProbe).count == 2)
        #expect(scene.probe("s2", alive("s2", linked: false)) == [])
        #expect(scene.probe("s3", alive("s3", linked: false)) == [])
        #expect(scene.state("s2") == .degraded)
        #expect(scene.tick(after: 0.2) == [], "not before the interval is over")
        #expect(scene.tick(after: 0.3).count == 2)
        // Nobody can be fenced now, but a refused or long silent peer takes no rooms.
        #expect(scene.probe("s2", .refused) == [.peerDown(id: "s2")])
        #expect(scene.probe("s3", .silent) == [])
        _ = scene.tick(after: 4.5)
        #expect(scene.probe("s3", .silent) == [.peerDown(id: "s3")])
        #expect(scene.membership.standing == .storeLost)
    }

    @Test("cut off alone: a peer that is still linked makes us isolated within 5 s")
    func isolated() throws {
        var scene = try Scene.settled()
        let lastRenewal = scene.now
        var isolatedAt: Duration?
        while isolatedAt == nil, scene.now - lastRenewal < s(10) {
            for action in scene.tick(after: 0.25) where isProbe(action) {
                let after = scene.probe("s2", alive("s2", linked: true))
                if after.contains(.standingChanged(.isolated)) { isolatedAt = scene.now }
            }
        }
        let took = try #require(isolatedAt) - lastRenewal
        #expect(took >= s(3.5) && took <= s(4.5), "\(took)")
        #expect(scene.read(lease("s2", 9), after: 0.5).contains(.standingChanged(.linked)))
    }

    @Test("losing the store together never looks like isolation")
    func lostTogether() throws {
        // The peer renewed up to a heartbeat after us, and says linked until that is 2 s old.
        var scene = try Scene.settled()
        let lost = scene.now
        var standings: Set<Standing> = []
        while scene.now - lost < s(8) {
            for action in scene.tick(after: 0.1) {
                if case .standingChanged(let standing) = action { standings.insert(standing) }
                guard isProbe(action) else { continue }
                let peerIsLinked = scene.now - lost < s(1) + s(2)
                for action in scene.probe("s2", alive("s2", linked: peerIsLinked)) {
                    if case .standingChanged(let standing) = action { standings.insert(standing) }
                }
            }
        }
        #expect(standings == [.storeLost])
    }

    @Test("a store that comes back empty takes no peer out that answered just now")
    func emptyStore() throws {
        var scene = try Scene.settled()
        _ = scene.tick(after: 6)
        _ = scene.probe("s2", alive("s2", linked: false))
        #expect(scene.read(after: 0.5).contains(.peerDown(id: "s2")) == false)
        #expect(scene.state("s2") == .degraded)
        _ = scene.read(lease("s2", 1))
        #expect(scene.read(lease("s2", 2)).contains(.peerDown(id: "s2")) == false)
        #expect(scene.state("s2") == .ready)
    }

    @Test("absent at boot: joining, then degraded, and peers are found by asking")
    func bootWithoutStore() throws {
        var scene = try Scene()
        #expect(scene.tick(after: 1) == [])
        #expect(scene.membership.standing == .joining)
        #expect(scene.tick(after: 1).first == .standingChanged(.storeLost))
        #expect(scene.probe("s2", alive("s2", linked: false)) == [.peerUp(id: "s2")])
        #expect(scene.probe("s3", .refused) == [])
        #expect(scene.state("s3") == .unknown)
    }

    @Test("a living twin with our instance id is reported once, a dead one is declared dead")
    func twin() throws {
        var scene = try Scene.settled()
        _ = scene.read(lease("s1", 4, nonce: 77))
        #expect(
            scene.read(lease("s1", 5, nonce: 77)).contains(
                .instanceIDTaken(incarnation("s1", 77))))
        #expect(scene.read(lease("s1", 6, nonce: 77)) == [])
        for _ in 0..<4 { _ = scene.read(lease("s1", 6, nonce: 77)) }
        #expect(
            scene.read(lease("s1", 6, nonce: 77)) == [
                .declareDead(incarnation("s1", 77), beat: 6)
            ])
    }

    @Test("fenced: the new incarnation begins without a lease and never judges the old")
    func fenced() throws {
        var scene = try Scene.settled()
        let new = incarnation("s1", 2)
        #expect(
            scene.membership.becameFenced(as: new, now: scene.now) == [.standingChanged(.joining)])
        #expect(scene.membership.becameFenced(as: new, now: scene.now) == [])
        #expect(!scene.membership.isOwnLeaseFresh(now: scene.now))
        #expect(scene.membership.own == new)
        let actions = scene.read(lease("s1", 1, nonce: 2), lease("s2", 3), lease("s3", 3))
        #expect(actions == [.standingChanged(.linked)])
    }

    @Test("an instance that is not configured is known by its lease and never asked")
    func stranger() throws {
        var scene = try Scene()
        _ = scene.read(lease("s9", 1))
        #expect(scene.read(lease("s9", 2)).contains(.peerUp(id: "s9")))
        for _ in 0..<3 { #expect(scene.read(lease("s9", 2)).contains(where: isProbe) == false) }
        #expect(scene.probe("nobody", .refused) == [])
    }

    @Test("without any store the instance is linked, alone and its lease always fresh")
    func embedded() throws {
        var membership = Membership(
            own: incarnation("s1"), nodes: try threeNodes(), hasStore: false, now: s(0))
        #expect(membership.standing == .linked)
        #expect(membership.ticked(now: s(1_000)) == [])
        #expect(membership.isOwnLeaseFresh(now: s(1_000)))
    }

    @Test("ten thousand random events never break what must always hold", arguments: 1...5)
    func randomEvents(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var scene = try Scene()
        var beats: [UInt64] = [1, 1]
        var up: Set<String> = []
        for _ in 0..<10_000 {
            var actions: [MembershipAction]
            scene.now += .milliseconds(Int64.random(in: 0...900, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                if Bool.random(using: &random) { beats[0] += 1 }
                if Bool.random(using: &random) { beats[1] += 1 }
                let ready = Int.random(in: 0..<9, using: &random) > 0
                let leases = [
                    lease("s2", beats[0], ready: ready),
                    lease("s3", beats[1], nonce: UInt64.random(in: 1...2, using: &random)),
                ]
                let shown = leases.filter { _ in Int.random(in: 0..<9, using: &random) > 0 }
                actions = scene.membership.leasesRead(shown, sentAt: scene.now, now: scene.now)
            case 2:
                let id = ["s2", "s3", "s9"].randomElement(using: &random) ?? "s2"
                let linked = Bool.random(using: &random)
                let results = [ProbeResult.refused, .silent, alive(id, linked: linked)]
                actions = scene.probe(id, results.randomElement(using: &random) ?? .silent)
            case 3: actions = scene.membership.leaseRenewalFailed(now: scene.now)
            default: actions = scene.tick(after: 0)
            }
            for action in actions {
                switch action {
                case .peerUp(let id): #expect(up.insert(id).inserted, "up twice, seed \(seed)")
                case .peerDown(let id):
                    #expect(up.remove(id) != nil, "down twice, seed \(seed)")
                case .declareDead(let who, _):
                    #expect(who != scene.membership.own, "judged itself, seed \(seed)")
                case .probe, .instanceIDTaken, .standingChanged: break
                }
            }
            let usable = scene.membership.allPeers(now: scene.now).filter(\.state.isUsable)
            #expect(Set(usable.map(\.id)) == up, "seed \(seed)")
        }
    }
}

/// A small seeded generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
