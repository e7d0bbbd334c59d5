import Cluster
import Testing

@Suite struct RedirectPolicyTests {
    private let placement: Placement
    private let own: ClusterNode
    private let room: String

    /// A room that `s2` owns, seen from `s1`.
    init() throws {
        let nodes = try threeNodes()
        let placement = Placement(nodes)
        self.placement = placement
        own = nodes.nodes[0]
        room = try #require(
            (0..<100).map { "room-\($0)" }.first { placement.configuredOwner(of: $0)?.id == "s2" })
    }

    private func request(
        room: String?, address: String = "10.0.0.1", cookie: String? = nil, host: String? = "one",
        origin: String? = "http://page"
    ) -> RedirectPolicy.Request {
        .init(roomID: room, address: address, cookie: cookie, host: host, origin: origin)
    }

    @Test("a direct request for a room of a living other instance is redirected there")
    func redirects() throws {
        let scene = try Scene.settled()
        var policy = RedirectPolicy(own: own, placement: placement)
        #expect(
            policy.decide(
                request(room: room), membership: scene.membership, isSelfUsable: true,
                now: scene.now)
                == .redirect(to: try PublicURL("http://two"), ownerID: "s2"))
    }

    @Test("each missing condition is named, and the client is served")
    func reasons() throws {
        let settled = try Scene.settled()
        func reason(
            _ scene: Scene, later: Double = 0, selfUsable: Bool = true,
            _ change: (inout RedirectPolicy.Request) -> Void = { _ in }
        ) -> RedirectPolicy.Reason? {
            var policy = RedirectPolicy(own: own, placement: placement)
            var asked = request(room: room)
            change(&asked)
            let decision = policy.decide(
                asked, membership: scene.membership, isSelfUsable: selfUsable,
                now: scene.now + s(later))
            if case .serve(let reason) = decision { return reason }
            return nil
        }
        #expect(reason(settled) == nil)
        #expect(reason(settled) { $0.roomID = nil } == .noRoom)
        #expect(reason(settled) { $0.roomID = "" } == .noRoom)
        #expect(reason(settled) { $0.viaTrustedProxy = true } == .throughProxy)
        let ours = (0..<100).map { "r-\($0)" }
            .first { placement.configuredOwner(of: $0)?.id == "s1" }
        #expect(reason(settled) { $0.roomID = ours } == .ownedHere)
        #expect(reason(settled) { $0.host = "two:80" } == .clientURL)
        #expect(reason(settled) { $0.origin = "http://two" } == .clientURL)
        #expect(reason(settled, later: 5.1) == .leaseTooOld)
        #expect(reason(try Scene(), selfUsable: false) == .ownerUnknown)

        var draining = settled
        _ = draining.read(lease("s2", 3, draining: true), lease("s3", 3, draining: true))
        #expect(reason(draining) == .ownedHere)
        #expect(reason(draining, selfUsable: false) == .ownerDraining)
        var unready = settled
        _ = unready.read(lease("s2", 3, ready: false), lease("s3", 3, ready: false))
        #expect(reason(unready, selfUsable: false) == .ownerNotReady)
        var dead = settled
        _ = dead.read()
        #expect(reason(dead, selfUsable: false) == .ownerDead)
    }

    @Test("an owner at our own URL, as behind one proxy, is never redirected to")
    func oneURL() throws {
        let nodes = try ClusterNodes(
            parsing: "s1=n:1=https://app.example,s2=n:2=https://app.example:443,s3=n:3=http://c")
        let scene = try Scene.settled()
        var policy = RedirectPolicy(own: nodes.nodes[0], placement: Placement(nodes))
        #expect(
            policy.decide(
                request(room: room), membership: scene.membership, isSelfUsable: true,
                now: scene.now)
                == .serve(.ownURL))
    }

    @Test("a client is redirected once in 10 s, also when it returns with its new cookie")
    func memory() throws {
        let scene = try Scene.settled()
        var policy = RedirectPolicy(own: own, placement: placement)
        func decide(_ asked: RedirectPolicy.Request, _ later: Double) -> RedirectPolicy.Decision {
            // The lease is kept young by reading the membership at its own time.
            var options = RedirectPolicy.Options()
            options.maxLeaseAge = s(60)
            if later == 0 {
                policy = RedirectPolicy(own: own, placement: placement, options: options)
            }
            return policy.decide(
                asked, membership: scene.membership, isSelfUsable: true, now: scene.now + s(later))
        }
        let again = RedirectPolicy.Decision.serve(.redirectedLately)
        #expect(decide(request(room: room), 0) != again)
        #expect(decide(request(room: room), 9.9) == again)
        #expect(decide(request(room: room, cookie: "fresh"), 9.9) == again)
        #expect(decide(request(room: room, address: "10.0.0.2", cookie: "c"), 9.9) != again)
        #expect(decide(request(room: room, address: "10.0.0.3", cookie: "c"), 9.9) == again)
        #expect(decide(request(room: room), 10) != again)
    }

    @Test("memory is bounded: when it is full nobody is redirected until some are forgotten")
    func bounded() throws {
        let scene = try Scene.settled()
        var options = RedirectPolicy.Options()
        options.maxLeaseAge = s(60)
        options.maxRemembered = 50
        var policy = RedirectPolicy(own: own, placement: placement, options: options)
        func decide(_ number: Int, _ later: Double) -> RedirectPolicy.Decision {
            policy.decide(
                request(room: room, address: "10.0.\(number / 256).\(number % 256)"),
                membership: scene.membership, isSelfUsable: true, now: scene.now + s(later))
        }
        for number in 0..<50 { #expect(decide(number, 0) != .serve(.memoryFull)) }
        #expect(policy.remembered == 50)
        #expect(decide(50, 9) == .serve(.memoryFull))
        #expect(decide(50, 10) != .serve(.memoryFull))
        for number in 100..<5_000 { _ = decide(number, 10 + Double(number)) }
        #expect(policy.remembered <= 50)
    }

    @Test("two instances that see each other alive agree on every owner, so nothing ping-pongs")
    func agreement() throws {
        let nodes = try threeNodes()
        for number in 0..<300 {
            let owners = nodes.nodes.map { _ in
                Placement(nodes).owner(of: "room-\(number)") { $0.id != "s3" }?.id
            }
            #expect(Set(owners).count == 1)
            #expect(owners.first != "s3")
        }
    }
}
