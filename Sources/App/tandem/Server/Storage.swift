import HTTPAPI
import Logging
import NIOCore
import Redis
import RoomStore
import Rooms

/// Where this instance keeps rooms and meets others: Redis with the fallback behind it, or its own
/// memory.
final class Storage: Sendable {
    let rooms: any RoomStore
    /// Nil in embedded mode.
    let leases: (any LeaseStore)?
    private let redis: RedisClient?
    private let fallback: FallbackRoomStore?

    init(
        settings: Settings, roomLimits: RoomLimits, group: any EventLoopGroup, logger: Logger
    ) throws {
        guard var configuration = settings.redis else {
            rooms = MemoryRoomStore(group: group, isDurable: true)
            leases = nil
            redis = nil
            fallback = nil
            return
        }
        configuration.clientName = "tandem-\(settings.node.id)"
        let client = try RedisClient(
            configuration: configuration, eventLoop: group.next(), logger: logger)
        redis = client
        leases = RedisLeaseStore(client: client)
        var limits = RoomStoreLimits()
        limits.localBytes = settings.maxDegradedBytes
        let fallback = FallbackRoomStore(
            redis: RedisRoomStore(client: client, limits: limits, logger: logger), group: group,
            limits: limits, roomLimits: roomLimits, logger: logger)
        self.fallback = fallback
        rooms = fallback
    }

    func start() {
        redis?.start()
    }

    func stop() async {
        try? await redis?.close().get()
    }

    /// Whether "no such room" can be believed.
    var isSettled: Bool { fallback?.state.isDurable ?? true }

    /// Whether this instance has heard what it publishes itself. That it does not any more is said
    /// by `reasons`: it is no reason to turn clients away.
    var hasBeenHeard: Bool { redis.map { $0.status.lastHeard != nil } ?? true }

    // MARK: For status

    /// What is wrong with the store, for everybody to read.
    var reasons: [HealthReport.Reason] {
        var reasons: [HealthReport.Reason] = []
        if let problem = redis?.status.state.problem {
            let code = "REDIS_\(problem.code.rawValue.uppercased())"
            reasons.append(
                .init(code: code, message: "Redis is not usable: rooms go on in memory"))
        }
        if let eviction = redis?.status.eviction, eviction.isHarmful {
            reasons.append(
                .init(
                    code: "REDIS_EVICTS",
                    message: eviction.evictedKeys > 0
                        ? "Redis has dropped \(eviction.evictedKeys) keys: rooms may be missing"
                        : "Redis drops keys when it is full: set maxmemory-policy noeviction"))
        }
        if case .reconciling(let pending)? = fallback?.state {
            reasons.append(
                .init(
                    code: "RECONCILING",
                    message: "Redis is back; \(pending) rooms are being brought to it"))
        }
        return reasons
    }

    var report: HealthReport.Redis {
        guard let redis else { return .init(mode: "none", isConnected: false) }
        let status = redis.status
        return .init(
            mode: redis.configuration.sentinels == nil ? "single" : "sentinel",
            isConnected: status.state.isReady, latency: status.latency)
    }

    /// `host:port/db`; nil in embedded mode.
    var address: String? {
        redis.map { "\($0.configuration.address)/\($0.configuration.database)" }
    }

    func collectMetrics(into samples: inout MetricSamples) {
        guard let status = redis?.status else { return }
        samples.set(.redisCommands, status.commands)
        samples.set(.redisReconnects, status.reconnects)
        samples.set(.redisDeadlineMisses, status.deadlineMisses)
        samples.set(.redisSubscriptionsLost, status.subscriptionsLost)
        if let eviction = status.eviction {
            samples.set(.redisEvictedKeys, eviction.evictedKeys)
        }
        samples.set(.redisInFlight, status.inFlightCommands)
        guard let counts = fallback?.counts, let pending = fallback?.pendingRooms else { return }
        samples.set(.localBytes, counts.localBytes)
        samples.set(.pendingRooms, pending)
        samples.set(.restoredRooms, counts.restoredRooms)
        samples.set(.mergedRooms, counts.mergedRooms)
        samples.set(.refusedCommits, counts.refusedCommits)
    }
}
