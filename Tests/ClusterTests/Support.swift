import Cluster

/// Three nodes at the upstreams `n:1` to `n:3`, reachable at `http://one` to `http://three`.
func threeNodes() throws -> ClusterNodes {
    try ClusterNodes(parsing: "s1=n:1=http://one,s2=n:2=http://two,s3=n:3=http://three")
}

func incarnation(_ id: String, _ nonce: UInt64 = 1) -> Incarnation {
    Incarnation(instanceID: id, nonce: nonce)
}

func lease(
    _ id: String, _ beat: UInt64, nonce: UInt64 = 1, ready: Bool = true, draining: Bool = false
) -> PeerLease {
    PeerLease(
        incarnation: incarnation(id, nonce), beat: beat, isReady: ready, isDraining: draining)
}

/// Seconds, for readable tables of time.
func s(_ seconds: Double) -> Duration { .milliseconds(Int64(seconds * 1_000)) }

/// Instance `s1` of three, with a clock that the test moves.
struct Scene {
    var membership: Membership
    var now: Duration

    init(start: Double = 100) throws {
        now = s(start)
        membership = Membership(own: incarnation("s1"), nodes: try threeNodes(), now: now)
    }

    /// One read of these leases, after `after` seconds; our own lease is added.
    mutating func read(_ leases: PeerLease..., after: Double = 1) -> [MembershipAction] {
        now += s(after)
        return membership.leasesRead(leases + [lease("s1", 1)], sentAt: now, now: now)
    }

    mutating func tick(after: Double = 0.5) -> [MembershipAction] {
        now += s(after)
        return membership.ticked(now: now)
    }

    mutating func probe(_ id: String, _ result: ProbeResult) -> [MembershipAction] {
        membership.probed(id, result, now: now)
    }

    func state(_ id: String) -> PeerState? { membership.peer(id, now: now)?.state }

    /// `s2` and `s3` are ready and `s1` is linked.
    static func settled() throws -> Scene {
        var scene = try Scene()
        _ = scene.read(lease("s2", 1), lease("s3", 1))
        _ = scene.read(lease("s2", 2), lease("s3", 2))
        return scene
    }
}

func alive(
    _ id: String, nonce: UInt64 = 1, ready: Bool = true, draining: Bool = false, linked: Bool
) -> ProbeResult {
    .alive(
        incarnation: incarnation(id, nonce), isReady: ready, isDraining: draining,
        isLinked: linked)
}

func isProbe(_ action: MembershipAction) -> Bool {
    if case .probe = action { true } else { false }
}
