/// Whether a new client is sent to the instance that owns its room (CONTRACT.md, rule R21).
///
/// Serving is always right, since any instance serves any room; a redirect is worth it only where
/// it surely arrives. So every doubt ends in `serve`, with the doubt's name.
package struct RedirectPolicy: Sendable {
    package struct Options: Sendable, Hashable {
        /// A client that was redirected is served wherever it turns up within this time.
        package var memory: Duration = .seconds(10)
        /// Redirects remembered. Beyond: nobody is redirected until some are forgotten.
        package var maxRemembered = 10_000
        /// An owner's lease older than this is no proof of life.
        package var maxLeaseAge: Duration = .seconds(5)

        package init() {}
    }

    /// What is known of the client's request.
    package struct Request: Sendable {
        package var roomID: String?
        /// The client's address.
        package var address: String
        /// The resume cookie's value.
        package var cookie: String?
        /// `Host`, and `Origin` of a page.
        package var host: String?
        package var origin: String?
        package var isSecure: Bool
        package var viaTrustedProxy: Bool

        package init(
            roomID: String?, address: String, cookie: String? = nil, host: String? = nil,
            origin: String? = nil, isSecure: Bool = false, viaTrustedProxy: Bool = false
        ) {
            self.roomID = roomID
            self.address = address
            self.cookie = cookie
            self.host = host
            self.origin = origin
            self.isSecure = isSecure
            self.viaTrustedProxy = viaTrustedProxy
        }
    }

    package enum Decision: Sendable, Hashable {
        case serve(Reason)
        case redirect(to: PublicURL, ownerID: String)
    }

    /// Why a client is served here.
    package enum Reason: String, Sendable, Hashable, CaseIterable {
        case noRoom
        /// nginx has chosen this instance.
        case throughProxy
        case ownedHere
        /// The owner is not configured, or unheard of.
        case ownerUnknown
        case ownerDead
        case ownerNotReady
        case ownerDraining
        /// Nobody has seen the owner's lease move lately, be it for want of a store.
        case leaseTooOld
        /// The owner's URL is our own: a redirect would come back here.
        case ownURL
        /// The client has used the owner's URL and arrived here.
        case clientURL
        case redirectedLately
        case memoryFull
    }

    package let options: Options
    private let own: ClusterNode
    private let placement: Placement
    private var recent: [Int: Duration] = [:]
    private var order: [(key: Int, at: Duration)] = []
    private var orderStart = 0

    package init(own: ClusterNode, placement: Placement, options: Options = .init()) {
        self.own = own
        self.placement = placement
        self.options = options
    }

    /// Redirects that are remembered at present, each under up to two keys.
    package var remembered: Int { recent.count }

    /// - Parameter membership: who lives, as this instance sees it.
    package mutating func decide(
        _ request: Request, membership: Membership, isSelfUsable: Bool, now: Duration
    ) -> Decision {
        guard let room = request.roomID, !room.isEmpty else { return .serve(.noRoom) }
        if request.viaTrustedProxy { return .serve(.throughProxy) }
        let owner = placement.owner(of: room) {
            membership.isUsable($0, isSelfUsable: isSelfUsable)
        }
        guard let owner else { return .serve(reason(forUnusable: room, membership, now: now)) }
        if owner.id == own.id { return .serve(.ownedHere) }
        if let doubt = doubt(about: owner, membership: membership, now: now) {
            return .serve(doubt)
        }
        if owner.publicURL.isSamePlace(as: own.publicURL) { return .serve(.ownURL) }
        if isUsed(owner.publicURL, by: request) { return .serve(.clientURL) }
        if let doubt = remember(keys(of: request, room: room), now: now) { return .serve(doubt) }
        return .redirect(to: owner.publicURL, ownerID: owner.id)
    }

    private func reason(
        forUnusable room: String, _ membership: Membership, now: Duration
    ) -> Reason {
        guard let owner = placement.configuredOwner(of: room) else { return .noRoom }
        if owner.id == own.id { return .ownedHere }
        return doubt(about: owner, membership: membership, now: now) ?? .ownerNotReady
    }

    private func doubt(
        about owner: ClusterNode, membership: Membership, now: Duration
    ) -> Reason? {
        guard let peer = membership.peer(owner.id, now: now) else { return .ownerUnknown }
        switch peer.state {
        case .unknown: return .ownerUnknown
        case .dead: return .ownerDead
        case .draining: return .ownerDraining
        case .joining: return .ownerNotReady
        case .ready, .degraded: break
        }
        guard let age = peer.leaseAge, age <= options.maxLeaseAge else { return .leaseTooOld }
        return nil
    }

    private func isUsed(_ url: PublicURL, by request: Request) -> Bool {
        if let host = request.host, url.isNamed(byHost: host, isSecure: request.isSecure) {
            return true
        }
        return request.origin.map(url.isNamed(byOrigin:)) ?? false
    }

    // MARK: Memory

    /// A client that gets its cookie with the redirect returns under another key, so both count.
    private func keys(of request: Request, room: String) -> [Int] {
        let place = [request.address, room].hashValue
        return [place] + (request.cookie.map { [["cookie", $0].hashValue] } ?? [])
    }

    private mutating func remember(_ keys: [Int], now: Duration) -> Reason? {
        forget(before: now)
        if keys.contains(where: { recent[$0] != nil }) { return .redirectedLately }
        guard recent.count + keys.count <= options.maxRemembered else { return .memoryFull }
        for key in keys {
            recent[key] = now
            order.append((key, now))
        }
        return nil
    }

    private mutating func forget(before now: Duration) {
        while orderStart < order.count, now - order[orderStart].at >= options.memory {
            recent[order[orderStart].key] = nil
            orderStart += 1
        }
        if orderStart > 1_000, orderStart * 2 > order.count {
            order.removeFirst(orderStart)
            orderStart = 0
        }
    }
}
