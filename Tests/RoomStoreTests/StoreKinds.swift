import NIOCore
import NIOPosix
import Redis
import RoomStore
import TestKit

/// The implementations that one suite tests.
enum StoreKind: String, CaseIterable, Sendable {
    case memory
    case redis
    case fallback
}

/// Several instances' stores over the same rooms, and what fences instances there.
struct StoreCluster: Sendable {
    let stores: [any RoomStore]
    let leases: any LeaseStore
}

/// Runs `body` with stores of `instances` instances over one set of rooms.
func withStores(
    _ kind: StoreKind, instances: Int = 1, logLimits: LogLimits = LogLimits(),
    limits: RoomStoreLimits = RoomStoreLimits(),
    _ body: (StoreCluster) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    guard kind != .memory else {
        let first = MemoryRoomStore(
            group: group, isDurable: true, logLimits: logLimits, limits: limits)
        let others = (1..<max(1, instances)).map { _ in MemoryRoomStore(sharing: first) }
        let leases = MemoryLeaseStore(fencing: first, eventLoop: group.next())
        try await body(StoreCluster(stores: [first] + others, leases: leases))
        return
    }
    let server = try RedisServerProcess()
    try await withClients(of: server, count: instances) { clients in
        let stores = clients.map { client -> any RoomStore in
            let redis = RedisRoomStore(client: client, logLimits: logLimits, limits: limits)
            return kind == .redis
                ? redis : FallbackRoomStore(redis: redis, group: group, limits: limits)
        }
        try await body(
            StoreCluster(
                stores: stores, leases: RedisLeaseStore(client: clients[0], limits: limits)))
    }
    server.kill()
}

func withClients(
    of server: RedisServerProcess, count: Int,
    _ body: ([RedisClient]) async throws -> Void
) async throws {
    let clients = try (0..<count).map { _ in
        try RedisClient(
            configuration: RedisConfiguration(port: server.port),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }
    for client in clients { client.start() }
    let result: Result<Void, any Error>
    do {
        for client in clients {
            try await eventually("the client is ready") { client.status.state.isReady }
        }
        try await body(clients)
        result = .success(())
    } catch {
        result = .failure(error)
    }
    for client in clients { try await client.close().value() }
    try result.get()
}

struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds; throws after `limit`.
func eventually(
    _ what: String, within limit: Duration = .seconds(10),
    _ condition: () async throws -> Bool
) async throws {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < limit {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TimedOut(description: "not within \(limit): \(what)")
}

extension EventLoopFuture where Value: Sendable {
    /// `get()`, but a future that nothing fulfils fails the test and does not hang it.
    func value(within limit: Duration = .seconds(20)) async throws -> Value {
        let promise = eventLoop.makePromise(of: Value.self)
        let timer = eventLoop.scheduleTask(in: TimeAmount(limit)) {
            promise.fail(TimedOut(description: "a future was not fulfilled within \(limit)"))
        }
        whenComplete { result in
            timer.cancel()
            promise.completeWith(result)
        }
        return try await promise.futureResult.get()
    }
}
