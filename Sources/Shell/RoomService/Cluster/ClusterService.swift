import Cluster
import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms
import SocketIOServer

/// Keeps this instance's lease, watches the others, places rooms, decides redirects.
///
/// The driver of `Membership` and `RedirectPolicy`: a value under a lock, actions performed after
/// the lock. Methods may be called from any thread.
package final class ClusterService: ClusterView, Sendable {
    /// What an instance says of itself with each heartbeat.
    package struct SelfReport: Sendable, Hashable {
        package var isReady: Bool
        package var isDraining: Bool
        package var rooms: Int
        package var users: Int

        package init(isReady: Bool, isDraining: Bool, rooms: Int, users: Int) {
            self.isReady = isReady
            self.isDraining = isDraining
            self.rooms = rooms
            self.users = users
        }
    }

    struct State {
        var membership: Membership
        var redirects: RedirectPolicy
        var leases: [String: Lease] = [:]
        var gone: Set<String> = []
        var goneOrder: [String] = []
        var unseenSince: [String: Duration] = [:]
        /// Others' leases under our own instance id, as long as it is not settled that it is ours.
        var twins: [String: (beat: UInt64, since: Duration)] = [:]
        var ownsID = false
        var beat: UInt64 = 0
        var isRenewing = false
        var tasks: [RepeatedTask] = []
        var report = SelfReport(isReady: false, isDraining: false, rooms: 0, users: 0)
        var onGone: @Sendable (String) -> Void = { _ in }
        var onFenced: @Sendable (String) -> Void = { _ in }
        var onInstanceIDTaken: @Sendable () -> Void = {}
    }

    package let clock: SharedClock
    package let identity: InstanceIdentity
    package let own: ClusterNode
    package let placement: Placement
    private let leaseStore: (any LeaseStore)?
    private let options: MembershipOptions
    private let eventLoop: any EventLoop
    private let probe: Probe
    private let logger: Logger
    private let state: NIOLockedValueBox<State>

    /// Asks another instance directly.
    package typealias Probe = @Sendable (ClusterNode) -> EventLoopFuture<ProbeResult>

    /// - Parameters:
    ///   - leaseStore: nil in embedded mode, where this instance is alone.
    ///   - probe: over HTTP unless given.
    package init(
        own: ClusterNode, nodes: ClusterNodes, leaseStore: (any LeaseStore)?,
        options: MembershipOptions, clock: SharedClock, identity: InstanceIdentity,
        eventLoop: any EventLoop, logger: Logger, probe: Probe? = nil
    ) {
        self.own = own
        self.clock = clock
        self.identity = identity
        self.leaseStore = leaseStore
        self.options = options
        self.eventLoop = eventLoop
        self.logger = logger
        self.probe = probe ?? PeerProbe(eventLoop: eventLoop).ask
        placement = Placement(nodes)
        state = NIOLockedValueBox(
            State(
                membership: Membership(
                    own: identity.value, nodes: nodes, hasStore: leaseStore != nil,
                    options: options, now: clock.elapsed),
                redirects: RedirectPolicy(own: own, placement: placement)))
    }

    package func onGone(_ handler: @escaping @Sendable (String) -> Void) {
        state.withLockedValue { $0.onGone = handler }
    }

    package func onFenced(_ handler: @escaping @Sendable (String) -> Void) {
        state.withLockedValue { $0.onFenced = handler }
    }

    /// Called when another living process uses our instance id.
    package func onInstanceIDTaken(_ handler: @escaping @Sendable () -> Void) {
        state.withLockedValue { $0.onInstanceIDTaken = handler }
    }

    /// Begins to renew the lease and to watch the others.
    package func start(report: @escaping @Sendable () -> SelfReport) {
        let heartbeat = eventLoop.scheduleRepeatedTask(
            initialDelay: .zero, delay: TimeAmount(options.heartbeat)
        ) { [weak self] _ in self?.beat(report) }
        let tick = eventLoop.scheduleRepeatedTask(
            initialDelay: .milliseconds(250), delay: .milliseconds(250)
        ) { [weak self] _ in self?.tick() }
        state.withLockedValue { $0.tasks = [heartbeat, tick] }
    }

    /// Leaves the cluster: no more heartbeats, the lease removed.
    package func leave() -> EventLoopFuture<Void> {
        // On the loop of the heartbeats: none goes out after the release.
        eventLoop.flatSubmit {
            self.state.withLockedValue { state in
                state.tasks.forEach { $0.cancel() }
                state.tasks = []
            }
            guard let leaseStore = self.leaseStore else {
                return self.eventLoop.makeSucceededVoidFuture()
            }
            return leaseStore.release(self.identity.incarnation)
                .flatMapError { _ in self.eventLoop.makeSucceededVoidFuture() }
        }
    }

    // MARK: Heartbeat

    private func beat(_ makeReport: @escaping @Sendable () -> SelfReport) {
        let report = makeReport()
        guard let leaseStore else {
            return state.withLockedValue { $0.report = report }
        }
        let lease: Lease? = state.withLockedValue { state in
            state.report = report
            guard !state.isRenewing else { return nil }
            state.isRenewing = true
            state.beat += 1
            return Lease(
                incarnation: identity.incarnation, instanceID: own.id,
                publicURL: own.publicURL.text, beat: state.beat, isReady: report.isReady,
                isDraining: report.isDraining, clock: clock.last, rooms: report.rooms,
                users: report.users)
        }
        guard let lease else { return }
        let sentAt = clock.elapsed
        leaseStore.renew(lease).hop(to: eventLoop).whenComplete { result in
            self.renewed(result, lease, sentAt: sentAt)
            // Behind a slow line the next one is due already.
            if self.clock.elapsed - sentAt >= self.options.heartbeat { self.beat(makeReport) }
        }
    }

    private func renewed(
        _ result: Result<LeaseReply, any Error>, _ own: Lease, sentAt: Duration
    ) {
        let now = clock.elapsed
        switch result {
        case .success(.renewed(let leases)):
            for lease in leases { clock.observe(lease.clock) }
            settleID(leases, now: now)
            let present = Dictionary(leases.map { ($0.incarnation, $0) }) { $1 }
            let vanished = state.withLockedValue { state in
                state.leases.keys.filter { present[$0] == nil && $0 != own.incarnation }
            }
            perform { state in
                state.isRenewing = false
                state.leases = present
                return state.membership.leasesRead(
                    leases.compactMap(\.peerLease), sentAt: sentAt, now: now)
            }
            for incarnation in vanished { _ = learnWhetherFenced(incarnation) }
        case .success(.fenced):
            state.withLockedValue { $0.isRenewing = false }
            fenced(own.incarnation)
        case .failure:
            perform { state in
                state.isRenewing = false
                return state.membership.leaseRenewalFailed(now: now)
            }
        }
    }

    /// At the start: a lease under our id is that of a process that died, if its beat stands still
    /// for two heartbeats, and is taken away; or that of a living twin, which `Membership` reports.
    private func settleID(_ leases: [Lease], now: Duration) {
        let own = identity.incarnation
        let others = leases.filter { $0.instanceID == self.own.id && $0.incarnation != own }
        let dead: [Lease] = state.withLockedValue { state in
            guard !state.ownsID else { return [] }
            state.ownsID = others.isEmpty
            var seen: [String: (beat: UInt64, since: Duration)] = [:]
            for lease in others {
                let before = state.twins[lease.incarnation]
                let isStill = before.map { $0.beat == lease.beat } ?? false
                seen[lease.incarnation] = (lease.beat, isStill ? before?.since ?? now : now)
            }
            state.twins = seen
            return others.filter {
                now - (seen[$0.incarnation]?.since ?? now) >= options.heartbeat * 2
            }
        }
        for lease in dead { _ = fence(lease.incarnation, beat: lease.beat) }
    }

    /// Whether no other process is known to have our instance id, or may still have it.
    package var ownsInstanceID: Bool {
        leaseStore == nil || state.withLockedValue { $0.ownsID || $0.leases.isEmpty }
    }

    /// Somebody declared this incarnation dead: it goes on as another.
    private func fenced(_ incarnation: String) {
        let handler = state.withLockedValue { $0.onFenced }
        handler(incarnation)
    }

    /// The identity has changed.
    func becameNewIncarnation() {
        let now = clock.elapsed
        perform { state in state.membership.becameFenced(as: identity.value, now: now) }
    }

    private func tick() {
        let now = clock.elapsed
        perform { $0.membership.ticked(now: now) }
    }

    // MARK: Actions

    private func perform(_ body: (inout State) -> [MembershipAction]) {
        for action in state.withLockedValue(body) { perform(action) }
    }

    private func perform(_ action: MembershipAction) {
        switch action {
        case .probe(let node):
            probe(node).whenSuccess { result in
                let now = self.clock.elapsed
                self.perform { $0.membership.probed(node.id, result, now: now) }
            }
        case .declareDead(let incarnation, let beat):
            _ = fence("\(incarnation)", beat: beat)
        case .peerUp(let id): logger.info("instance is up", metadata: ["instance": "\(id)"])
        case .peerDown(let id): logger.warning("instance is down", metadata: ["instance": "\(id)"])
        case .instanceIDTaken(let other):
            logger.error(
                "another process uses the same INSTANCE_ID: give each instance its own",
                metadata: ["instance": "\(own.id)", "other": "\(other)"])
            state.withLockedValue { $0.onInstanceIDTaken }()
        case .standingChanged(let standing):
            logger.info("standing in the cluster", metadata: ["standing": "\(standing)"])
        }
    }

    /// Declares an incarnation dead, in the store and here.
    private func fence(_ incarnation: String, beat: UInt64?) -> EventLoopFuture<Bool> {
        guard let leaseStore, incarnation != identity.incarnation else {
            return eventLoop.makeSucceededFuture(false)
        }
        return leaseStore.fence(incarnation, beat: beat).hop(to: eventLoop)
            .map { isFenced in
                if isFenced { self.noteGone(incarnation) }
                return isFenced
            }
            .flatMapErrorThrowing { _ in false }
    }

    /// Whether another instance has declared an incarnation dead. Its lease is gone by that: nobody
    /// can judge it by its beat any more, and a frozen process refuses no connection either.
    private func learnWhetherFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        guard let leaseStore else { return eventLoop.makeSucceededFuture(false) }
        return leaseStore.isFenced(incarnation).hop(to: eventLoop)
            .map { isFenced in
                if isFenced { self.noteGone(incarnation) }
                return isFenced
            }
            .flatMapErrorThrowing { _ in false }
    }

    private func noteGone(_ incarnation: String) {
        let handler: (@Sendable (String) -> Void)? = state.withLockedValue { state in
            guard state.gone.insert(incarnation).inserted else { return nil }
            state.goneOrder.append(incarnation)
            if state.goneOrder.count > Self.rememberedGone {
                state.gone.remove(state.goneOrder.removeFirst())
            }
            return state.onGone
        }
        guard let handler else { return }
        logger.warning("declared dead", metadata: ["incarnation": "\(incarnation)"])
        handler(incarnation)
    }

    private static let rememberedGone = 1_000

    // MARK: ClusterView

    func owner(of room: String) -> (id: String, url: String) {
        let node = state.withLockedValue { state in
            placement.owner(of: room) {
                state.membership.isUsable($0, isSelfUsable: state.report.isReady)
            }
        }
        return (node ?? own).named
    }

    func isKnownGone(_ incarnation: String) -> Bool {
        state.withLockedValue { $0.gone.contains(incarnation) }
    }

    func isGone(_ incarnation: String) -> EventLoopFuture<Bool> {
        guard incarnation != identity.incarnation else {
            return eventLoop.makeSucceededFuture(false)
        }
        guard leaseStore != nil, !isKnownGone(incarnation) else {
            return eventLoop.makeSucceededFuture(true)
        }
        guard let parsed = Incarnation(incarnation) else {
            return eventLoop.makeSucceededFuture(true)
        }
        if parsed.instanceID == own.id {
            // We listen on this id's address: whoever held it before does not any more. Unless it
            // is not settled yet that the id is ours.
            guard ownsInstanceID else { return eventLoop.makeSucceededFuture(false) }
            return fence(incarnation, beat: nil)
        }
        let now = clock.elapsed
        let peer = state.withLockedValue { $0.membership.peer(parsed.instanceID, now: now) }
        guard let peer, let node = peer.node else { return eventLoop.makeSucceededFuture(false) }
        if peer.state == .draining { return eventLoop.makeSucceededFuture(true) }
        return probe(node).flatMap { result in
            switch result {
            case .refused: self.fence(incarnation, beat: nil)
            case .alive(let other?, _, _, _) where other != parsed:
                self.fence(incarnation, beat: nil)
            case .alive: self.eventLoop.makeSucceededFuture(false)
            case .silent: self.learnWhetherFenced(incarnation)
            }
        }
    }

    /// Whether the instance of that incarnation neither answers nor refuses connections.
    func isSilent(_ incarnation: String) -> EventLoopFuture<Bool> {
        let now = clock.elapsed
        let peer = Incarnation(incarnation).flatMap { parsed in
            state.withLockedValue { $0.membership.peer(parsed.instanceID, now: now) }
        }
        guard let node = peer?.node, node.id != own.id else {
            return eventLoop.makeSucceededFuture(false)
        }
        return probe(node).map { $0 == .silent }
    }

    /// Which of the holders of members are dead: those known to be, and those that have had no
    /// lease for the lease time (all instances were killed and started again).
    func gone(among holders: Set<String>) -> [String] {
        let now = clock.elapsed
        let own = identity.incarnation
        let (known, vanished): ([String], [String]) = state.withLockedValue { state in
            guard leaseStore == nil || state.membership.standing == .linked else {
                state.unseenSince = [:]
                return ([], [])
            }
            let unseen = holders.filter {
                $0 != own && state.leases[$0] == nil && !state.gone.contains($0)
            }
            state.unseenSince = state.unseenSince.filter { unseen.contains($0.key) }
            for holder in unseen where state.unseenSince[holder] == nil {
                state.unseenSince[holder] = now
            }
            let vanished = state.unseenSince.filter { now - $0.value >= options.lease }.keys
            return (holders.filter { state.gone.contains($0) }, Array(vanished))
        }
        for holder in vanished { _ = fence(holder, beat: nil) }
        return known
    }

    // MARK: Redirect

    /// The refusal that sends a client to the owner of its room (R21); nil to serve it here.
    func redirect(_ request: HandshakeRequest) -> ConnectError? {
        let room = request.queryItem("roomId")
        let question = RedirectPolicy.Request(
            roomID: room, address: request.remoteAddress,
            cookie: request.cookie(ResumeCookie.name),
            host: request.headers.first(name: "host"), origin: request.origin,
            isSecure: request.isSecure, viaTrustedProxy: request.viaTrustedProxy)
        let now = clock.elapsed
        let decision = state.withLockedValue { state in
            state.redirects.decide(
                question, membership: state.membership, isSelfUsable: state.report.isReady,
                now: now)
        }
        guard case .redirect(let url, let ownerID) = decision else { return nil }
        let message = "REDIRECT:\(url.text)"
        // An older client is sent the data in place of the message, which it needs.
        guard request.protocolRevision > 3 else { return ConnectError(message: message) }
        return ConnectError(
            message: message,
            data: [
                "url": .string(url.text), "roomId": .optional(room), "owner": .string(ownerID),
            ])
    }

    // MARK: Sessions

    /// The other instance that has the session of this id, `<instance>.<random>`; nil where that is
    /// none of `CLUSTER_NODES`, or is known to be dead.
    package func sessionHome(_ sid: String) -> ForwardTarget? {
        guard sid.utf8.count <= Self.maxSessionIDBytes, let dot = sid.lastIndex(of: ".") else {
            return nil
        }
        let id = String(sid[..<dot])
        let now = clock.elapsed
        guard id != own.id,
            let peer = state.withLockedValue({ $0.membership.peer(id, now: now) }),
            peer.state != .dead, let (host, port) = peer.node?.address
        else { return nil }
        return ForwardTarget(name: id, host: host, port: port)
    }

    /// An id of an instance has 64 bytes at most, what is random after it about 20.
    private static let maxSessionIDBytes = 128

    // MARK: For status

    package var standing: Standing { state.withLockedValue { $0.membership.standing } }
    package var selfReport: SelfReport { state.withLockedValue { $0.report } }

    package var peers: [PeerView] {
        let now = clock.elapsed
        return state.withLockedValue { $0.membership.allPeers(now: now) }
    }

    /// The leases as last read, own included.
    package var leases: [Lease] {
        state.withLockedValue { $0.leases.values.sorted { $0.instanceID < $1.instanceID } }
    }

    /// The node that owns a room among those alive; nil if nobody is.
    package func ownerNode(of room: String) -> ClusterNode? {
        state.withLockedValue { state in
            placement.owner(of: room) {
                state.membership.isUsable($0, isSelfUsable: state.report.isReady)
            }
        }
    }
}

extension Lease {
    fileprivate var peerLease: PeerLease? {
        Incarnation(incarnation).map {
            PeerLease(incarnation: $0, beat: beat, isReady: isReady, isDraining: isDraining)
        }
    }
}

extension ClusterNode {
    fileprivate var named: (id: String, url: String) { (id, publicURL.text) }
}
