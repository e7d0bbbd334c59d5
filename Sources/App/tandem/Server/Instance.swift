import Cluster
import HTTPAPI
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RoomService
import RoomStore
import Rooms
import Secrets
import SocketIOServer

/// The running parts of one instance.
final class Instance: Sendable {
    private struct State {
        var isListening = false
        var isDraining = false
        var refusal: String?
        var refusalWaiters: [CheckedContinuation<String, Never>] = []
        var startedAt = ContinuousClock.now
    }

    let settings: Settings
    let logger: Logger
    let clock = SharedClock()
    let identity: InstanceIdentity
    let storage: Storage
    /// Nil in embedded mode.
    let relay: OfficialRelay?
    let cluster: ClusterService
    let rooms: RoomService
    let server: SocketIOServer
    let loop: any EventLoop
    private let hasher: PasswordHasher
    private let state = NIOLockedValueBox(State())

    init(settings: Settings, group: any EventLoopGroup, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        let loops = group.makeIterator().map { $0 as any EventLoop }
        loop = loops[0]
        identity = InstanceIdentity(instanceID: settings.node.id)
        let roomOptions = Self.roomOptions(settings)
        storage = try Storage(
            settings: settings, roomLimits: roomOptions.room, group: group, logger: logger)
        let relay = try OfficialRelay(settings: settings, group: group, logger: logger)
        self.relay = relay
        let local: AdapterFactory = { _, loops, _ in LocalAdapter(loops: loops) }
        hasher = PasswordHasher(group: group)
        var times = MembershipOptions()
        times.heartbeat = settings.heartbeatInterval
        times.lease = settings.nodeLease
        times.suspicion = settings.nodeLease * 2 / 5
        times.isolation = settings.nodeLease * 7 / 10
        cluster = ClusterService(
            own: settings.node, nodes: settings.nodes, leaseStore: storage.leases,
            options: times, clock: clock, identity: identity, eventLoop: loops[0],
            logger: logger)
        let files = FileLimit.raise()
        let connections = settings.limits.connections
        if FileLimit.connections(wished: connections, files: files) < connections {
            logger.notice(
                "fewer connections than MAX_CONNECTIONS: the system limits open files (ulimit -n)",
                metadata: ["wished": "\(connections)", "files": "\(files ?? 0)"])
        }
        let box = NIOLockedValueBox<Instance?>(nil)
        let routes = NIOLockedValueBox<HTTPAPI?>(nil)
        server = SocketIOServer(
            options: Self.serverOptions(
                settings, files: files, instance: { box.withLockedValue { $0 } },
                routes: { routes.withLockedValue { $0 } },
                forwarding: SessionForwarding(through: cluster, logger)),
            eventLoopGroup: group, logger: logger,
            adapter: relay?.adapter ?? local)
        rooms = RoomService(
            options: roomOptions, store: storage.rooms,
            namespace: server.of("/"), cluster: cluster, hasher: hasher, metrics: RoomMetrics(),
            eventLoops: loops, isStoreSettled: { [storage] in storage.isSettled },
            mirror: relay?.mirror, logger: logger)
        box.withLockedValue { $0 = self }
        let api = HTTPAPI(
            source: InstanceStatus(parts: self), options: Self.apiOptions(settings),
            metrics: MetricsRegistry())
        routes.withLockedValue { $0 = api }
    }

    // MARK: Life

    /// Serves at once; ready when the store answers, or is known to be away.
    func start() async throws {
        storage.start()
        relay?.start()
        rooms.start()
        cluster.onInstanceIDTaken { [weak self] in self?.instanceIDTaken() }
        let address = try await server.start()
        // Not before the port is ours: a lease stands for somebody who can be reached.
        cluster.start { [weak self] in self?.report ?? .gone }
        state.withLockedValue { $0.isListening = true }
        logger.notice(
            "listening",
            metadata: [
                "address": "\(address)", "url": "\(settings.node.publicURL)",
                "store": settings.isEmbedded ? "memory (embedded, one instance)" : "redis",
            ])
    }

    /// Not ready, a while for proxies to notice, then own clients only, paced (DESIGN § 7).
    func drain() async {
        state.withLockedValue { $0.isDraining = true }
        logger.notice("draining", metadata: ["clients": "\(server.sessionCount)"])
        rooms.announceShutdown()
        try? await Task.sleep(for: settings.drainDelay)
        try? await server.stopAccepting().get()
        try? await server.closeSessions(over: TimeAmount(settings.drainWindow)).get()
        await rooms.settle(within: .seconds(5))
        try? await cluster.leave().get()
    }

    func stop() async {
        rooms.stop()
        try? await server.shutdown().get()
        await relay?.stop()
        await storage.stop()
        await hasher.stop()
        logger.notice("stopped")
    }

    /// Returns the reason if the cluster does not take this instance in.
    func waitForRefusal() async throws -> String {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let refusal = state.withLockedValue { state -> String? in
                    if state.refusal == nil { state.refusalWaiters.append(continuation) }
                    return state.refusal
                }
                if let refusal { continuation.resume(returning: refusal) }
            }
        } onCancel: {
            resolveRefusal("")
        }
    }

    /// A living process has our id. Who is ready stays; who is starting gives way.
    private func instanceIDTaken() {
        guard cluster.selfReport.isReady == false else { return }
        resolveRefusal(
            "another running instance has the id \(settings.node.id): set INSTANCE_ID to a name of"
                + " its own for each instance")
    }

    private func resolveRefusal(_ text: String) {
        let waiters = state.withLockedValue { state in
            state.refusal = state.refusal ?? text
            defer { state.refusalWaiters = [] }
            return state.refusalWaiters
        }
        for waiter in waiters { waiter.resume(returning: text) }
    }

    // MARK: Readiness

    /// Why this instance should get no new clients; empty if it should.
    var unreadyReasons: [HealthReport.Reason] {
        let (isListening, isDraining) = state.withLockedValue { ($0.isListening, $0.isDraining) }
        var reasons: [HealthReport.Reason] = []
        if !isListening {
            reasons.append(.init(code: "STARTING", message: "The instance is starting"))
        }
        if isDraining {
            reasons.append(.init(code: "DRAINING", message: "The instance is leaving"))
        }
        if !cluster.ownsInstanceID {
            reasons.append(
                .init(
                    code: "INSTANCE_ID_IN_USE",
                    message: "A process with the same INSTANCE_ID runs, or has just died"))
        }
        switch cluster.standing {
        case .linked:
            if !storage.hasBeenHeard {
                reasons.append(
                    .init(
                        code: "SUBSCRIPTION_NOT_HEARD",
                        message: "Redis does not deliver this instance's own probe yet"))
            }
        case .joining:
            reasons.append(
                .init(code: "JOINING", message: "Redis has not answered yet"))
        case .isolated:
            reasons.append(
                .init(
                    code: "ISOLATED",
                    message: "Other instances reach Redis and this one does not"))
        case .storeLost: break
        }
        return reasons
    }

    var isReady: Bool { unreadyReasons.isEmpty }
    var isDraining: Bool { state.withLockedValue { $0.isDraining } }
    var uptime: Duration { ContinuousClock.now - state.withLockedValue { $0.startedAt } }

    private var report: ClusterService.SelfReport {
        let counts = rooms.counts
        return ClusterService.SelfReport(
            isReady: isReady, isDraining: isDraining, rooms: counts.rooms, users: counts.users)
    }

    // MARK: Options

    private static func roomOptions(_ settings: Settings) -> RoomServiceOptions {
        var options = RoomServiceOptions()
        settings.limits.apply(to: &options)
        options.language = settings.language
        options.offersRecovery = settings.connectionRecovery == .on
        options.room.hostGraceMilliseconds = settings.hostGrace.milliseconds
        options.silentReturnMilliseconds =
            (settings.pingInterval + settings.pingTimeout + .seconds(4)).milliseconds
        options.emptyRoomMilliseconds = settings.emptyRoomTTL.milliseconds
        return options
    }

    private static func serverOptions(
        _ settings: Settings, files: Int?, instance: @escaping @Sendable () -> Instance?,
        routes: @escaping @Sendable () -> HTTPAPI?, forwarding: SessionForwarding
    ) -> ServerOptions {
        var options = ServerOptions()
        options.host = settings.host
        options.port = settings.port
        options.sessionIDPrefix = "\(settings.node.id)."
        options.pingInterval = settings.pingInterval
        options.pingTimeout = settings.pingTimeout
        options.pongPatience = settings.pongPatience
        options.limits.maxPayloadBytes = settings.maxPayloadBytes
        settings.limits.apply(to: &options.limits)
        options.limits.maxConnections = FileLimit.connections(
            wished: options.limits.maxConnections, files: files)
        options.trustedProxies = settings.trustedProxies
        options.forwarding = forwarding
        options.allowsOrigin = { [origins = settings.origins] in origins.allows($0) }
        options.handshakeHeaders = { request in
            let token = ResumeCookie.token(of: request)
            let cookie = ResumeCookie.header(token: token, isSecure: request.isSecure)
            return [("set-cookie", cookie)]
        }
        options.admission = { _ in
            guard let reasons = instance()?.unreadyReasons, !reasons.isEmpty else {
                return .accept
            }
            return .refuse(
                status: .serviceUnavailable,
                message: "Not ready: \(reasons.map(\.message).joined(separator: "; "))",
                headers: [("retry-after", "1")])
        }
        options.httpHandler = { request in
            guard let api = routes() else {
                return request.eventLoop.makeSucceededFuture(
                    .error(.serviceUnavailable, code: "STARTING", message: "Not ready yet"))
            }
            return api.respond(to: request)
        }
        return options
    }

    private static func apiOptions(_ settings: Settings) -> HTTPAPI.Options {
        var options = HTTPAPI.Options(isRoomID: RoomRules.isValidRoomID)
        options.adminToken = settings.adminToken
        options.clientFile = BrowserClient(folder: settings.clientDirectory).file
        options.cookie = { request in
            let known = request.cookie(ResumeCookie.name)
            let token = known.flatMap { ResumeCookie.isValid($0) ? $0 : nil }
            return (token ?? (try? RandomBytes.hexToken())).map {
                ResumeCookie.header(token: $0, isSecure: request.isSecure)
            }
        }
        return options
    }
}

extension ClusterService.SelfReport {
    fileprivate static let gone = ClusterService.SelfReport(
        isReady: false, isDraining: true, rooms: 0, users: 0)
}

extension Duration {
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
