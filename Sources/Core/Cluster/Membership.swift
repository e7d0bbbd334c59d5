/// Who is in the cluster, as one instance sees it.
///
/// A peer:
///
///     unknown ─lease or answer─▶ joining ─beat moved, says ready─▶ ready ◀─▶ degraded
///        ▲                          │                                │
///        └──── never heard of       └──── says draining ─▶ draining ─┤
///                                                                    ▼
///     dead ◀─ beat still for `lease`; still for `suspicion` and refused; lease gone
///
/// This instance: see `Standing`.
///
/// Invariants:
/// - Only the observer's monotonic time judges: a beat that moves is alive, whatever clocks say.
/// - Nobody is judged by time in which this instance itself did not look: after a gap between two
///   reads (we were frozen, or the store was away) every lease gets its full time again.
/// - `declareDead` needs the store, so it is said only when leases were just read, or for a lease
///   that was.
/// - Every input has an answer in every state; inputs that are late or repeat change nothing.
package struct Membership: Sendable {
    package let options: MembershipOptions
    /// Without a store this instance is all there is, and always linked.
    package let hasStore: Bool
    package private(set) var own: Incarnation
    package private(set) var standing: Standing

    var peers: [String: Peer] = [:]
    private var sightings: [Incarnation: Sighting] = [:]
    private var startedAt: Duration
    private var renewedAt: Duration?
    private var readAt: Duration?

    struct Peer: Sendable {
        let node: ClusterNode?
        var state = PeerState.unknown
        var incarnation: Incarnation?
        /// When a moved beat or a live answer last showed it.
        var seenAt: Duration?
        /// When its lease was last seen to move.
        var leaseMovedAt: Duration?
        var askedAt: Duration?
        var lastAnswer: (result: ProbeResult, at: Duration)?
    }

    /// A lease and since when its beat has been what it is.
    private struct Sighting: Sendable {
        var lease: PeerLease
        var stillSince: Duration
        var hasMoved = false
        var isRefused = false
        var isTakenSaid = false
        var declaredAt: Duration?
    }

    package init(
        own: Incarnation, nodes: ClusterNodes, hasStore: Bool = true,
        options: MembershipOptions = .init(), now: Duration
    ) {
        self.own = own
        self.hasStore = hasStore
        self.options = options
        startedAt = now
        standing = hasStore ? .joining : .linked
        for node in nodes.nodes where node.id != own.instanceID {
            peers[node.id] = Peer(node: node)
        }
    }

    // MARK: Inputs

    /// Our lease was renewed and all leases were read, in one step, by a request sent at `sentAt`.
    package mutating func leasesRead(
        _ leases: [PeerLease], sentAt: Duration, now: Duration
    ) -> [MembershipAction] {
        let before = usablePeers
        let looksAnew = readAt.map { now - $0 > options.suspicion } ?? true
        readAt = now
        renewedAt = max(renewedAt ?? sentAt, sentAt)
        var actions = note(leases, looksAnew: looksAnew, now: now)
        for incarnation in sightings.keys.sorted(by: { $0.description < $1.description }) {
            actions += judge(incarnation, now: now)
        }
        for id in sortedIDs { updateByLease(id, now: now) }
        return actions + changes(since: before) + updateStanding(now: now)
    }

    /// Our lease could not be renewed. A lease that was fenced is reported with `becameFenced`.
    package mutating func leaseRenewalFailed(now: Duration) -> [MembershipAction] {
        ticked(now: now)
    }

    /// Time has passed. To be called about every `probeInterval`.
    package mutating func ticked(now: Duration) -> [MembershipAction] {
        let actions = updateStanding(now: now)
        guard hasStore, !isLinked(now: now), renewedAt != nil || standing != .joining else {
            return actions
        }
        return actions + sortedIDs.compactMap { askAfter($0, now: now) }
    }

    /// A peer was asked directly.
    package mutating func probed(
        _ id: String, _ result: ProbeResult, now: Duration
    ) -> [MembershipAction] {
        guard peers[id] != nil else { return [] }
        let before = usablePeers
        peers[id]?.lastAnswer = (result, now)
        if case .alive = result { peers[id]?.seenAt = now }
        var actions: [MembershipAction] = []
        if isLinked(now: now) {
            actions = judgeSuspects(of: id, by: result, now: now)
        } else {
            updateByAnswer(id, result, now: now)
        }
        return actions + changes(since: before) + updateStanding(now: now)
    }

    /// The store refuses our incarnation: we go on as a new one.
    package mutating func becameFenced(
        as new: Incarnation, now: Duration
    ) -> [MembershipAction] {
        guard new != own else { return [] }
        sightings[own] = nil
        own = new
        renewedAt = nil
        startedAt = now
        return updateStanding(now: now)
    }

    /// Whether others can still take our lease as alive; false from the moment on which they may
    /// declare us dead. What the store orders must not be delivered on an older lease.
    package func isOwnLeaseFresh(now: Duration) -> Bool {
        !hasStore || renewedAt.map { now - $0 < options.lease } ?? false
    }

    // MARK: Leases

    private mutating func note(
        _ leases: [PeerLease], looksAnew: Bool, now: Duration
    ) -> [MembershipAction] {
        var actions: [MembershipAction] = []
        let present = Set(leases.map(\.incarnation))
        for gone in sightings.keys where !present.contains(gone) {
            sightings[gone] = nil
            // Released or fenced. After a gap it may be the store that has forgotten.
            if !looksAnew { peers[gone.instanceID]?.seenAt = nil }
        }
        for lease in leases where lease.incarnation != own {
            var sighting =
                sightings[lease.incarnation] ?? Sighting(lease: lease, stillSince: now)
            if sighting.lease.beat != lease.beat {
                sighting.hasMoved = true
                sighting.isRefused = false
                sighting.declaredAt = nil
                sighting.stillSince = now
            } else if looksAnew {
                sighting.stillSince = now
            }
            sighting.lease = lease
            let isTwin = lease.incarnation.instanceID == own.instanceID && sighting.hasMoved
            if isTwin, !sighting.isTakenSaid {
                sighting.isTakenSaid = true
                actions.append(.instanceIDTaken(lease.incarnation))
            }
            sightings[lease.incarnation] = sighting
            let id = lease.incarnation.instanceID
            if id != own.instanceID, peers[id] == nil { peers[id] = Peer(node: nil) }
        }
        return actions
    }

    private mutating func judge(
        _ incarnation: Incarnation, now: Duration
    ) -> [MembershipAction] {
        guard let sighting = sightings[incarnation] else { return [] }
        let still = now - sighting.stillSince
        if still >= options.lease || sighting.isRefused {
            return declareDead(incarnation, now: now)
        }
        guard still >= options.suspicion else { return [] }
        return [askAfter(incarnation.instanceID, now: now)].compactMap { $0 }
    }

    private mutating func declareDead(
        _ incarnation: Incarnation, now: Duration
    ) -> [MembershipAction] {
        guard let sighting = sightings[incarnation] else { return [] }
        if let last = sighting.declaredAt, now - last < options.heartbeat { return [] }
        sightings[incarnation]?.declaredAt = now
        return [.declareDead(incarnation, beat: sighting.lease.beat)]
    }

    /// A beat that stands still, and an answer which says why: the process is gone, or another has
    /// taken its place.
    private mutating func judgeSuspects(
        of id: String, by result: ProbeResult, now: Duration
    ) -> [MembershipAction] {
        var actions: [MembershipAction] = []
        for (incarnation, sighting) in sightings
        where incarnation.instanceID == id && now - sighting.stillSince >= options.suspicion {
            let isGone =
                switch result {
                case .refused: true
                case .alive(let answering?, _, _, _): answering != incarnation
                case .alive, .silent: false
                }
            guard isGone else { continue }
            sightings[incarnation]?.isRefused = true
            actions += declareDead(incarnation, now: now)
        }
        updateByLease(id, now: now)
        return actions
    }

    private mutating func updateByLease(_ id: String, now: Duration) {
        let known = sightings.values.filter { $0.lease.incarnation.instanceID == id }
        let best = known.filter { $0.declaredAt == nil }.max {
            ($0.hasMoved ? 1 : 0, $0.stillSince, $0.lease.incarnation.nonce)
                < ($1.hasMoved ? 1 : 0, $1.stillSince, $1.lease.incarnation.nonce)
        }
        guard let best else {
            let isRecent = peers[id]?.seenAt.map { now - $0 < options.lease } ?? false
            let isGone = !known.isEmpty || !isRecent
            if isGone, peers[id]?.state != .unknown { peers[id]?.state = .dead }
            return
        }
        peers[id]?.incarnation = best.lease.incarnation
        if best.hasMoved {
            let seenAt = peers[id]?.seenAt ?? best.stillSince
            peers[id]?.leaseMovedAt = best.stillSince
            peers[id]?.seenAt = max(seenAt, best.stillSince)
        }
        let isReady = best.hasMoved && best.lease.isReady
        peers[id]?.state = best.lease.isDraining ? .draining : isReady ? .ready : .joining
    }

    // MARK: Direct answers

    private mutating func updateByAnswer(_ id: String, _ result: ProbeResult, now: Duration) {
        switch result {
        case .alive(let incarnation, let isReady, let isDraining, let isLinked):
            if let incarnation { peers[id]?.incarnation = incarnation }
            peers[id]?.state =
                isDraining ? .draining : !isReady ? .joining : isLinked ? .ready : .degraded
        case .refused:
            if peers[id]?.state != .unknown { peers[id]?.state = .dead }
        case .silent:
            let silence = peers[id]?.seenAt.map { now - $0 } ?? .zero
            if silence >= options.lease { peers[id]?.state = .dead }
        }
    }

    private mutating func askAfter(_ id: String, now: Duration) -> MembershipAction? {
        guard let peer = peers[id], let node = peer.node else { return nil }
        if let askedAt = peer.askedAt, now - askedAt < options.probeInterval { return nil }
        peers[id]?.askedAt = now
        return .probe(node)
    }

    // MARK: Ourselves

    private func isLinked(now: Duration) -> Bool {
        guard hasStore else { return true }
        // By the time of the answer, or a slow way to the store would look like none; yet an answer
        // to what was asked before a long sleep says nothing of now.
        let isHeard = readAt.map { now - $0 < options.suspicion } ?? false
        return isHeard && isOwnLeaseFresh(now: now)
    }

    private mutating func updateStanding(now: Duration) -> [MembershipAction] {
        let new = currentStanding(now: now)
        guard new != standing else { return [] }
        standing = new
        return [.standingChanged(new)]
    }

    private func currentStanding(now: Duration) -> Standing {
        if isLinked(now: now) { return .linked }
        let since = renewedAt ?? startedAt
        if now - since < options.suspicion { return .joining }
        let isPeerLinked = peers.values.contains { peer in
            guard let answer = peer.lastAnswer, now - answer.at < options.probeValidity,
                answer.at - since >= options.isolation,
                case .alive(_, _, _, isLinked: true) = answer.result
            else { return false }
            return true
        }
        return isPeerLinked ? .isolated : .storeLost
    }

    // MARK: Changes

    private var sortedIDs: [String] { peers.keys.sorted() }

    private var usablePeers: Set<String> {
        Set(peers.filter { $0.value.state.isUsable }.keys)
    }

    private func changes(since before: Set<String>) -> [MembershipAction] {
        let after = usablePeers
        return before.subtracting(after).sorted().map { .peerDown(id: $0) }
            + after.subtracting(before).sorted().map { .peerUp(id: $0) }
    }
}
