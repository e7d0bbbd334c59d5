import NIOCore
import NIOPosix
import Redis
import Synchronization
import TestKit
import Testing

/// What observers and message handlers record, from any thread.
final class Recorder<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])

    var all: [Value] { values.withLock { $0 } }

    func add(_ value: Value) { values.withLock { $0.append(value) } }
}

struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds and returns how long that took; throws after `limit`.
@discardableResult
func eventually(
    _ what: String, within limit: Duration = .seconds(5),
    _ condition: () async throws -> Bool
) async throws -> Duration {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < limit {
        if try await condition() { return ContinuousClock.now - start }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TimedOut(description: "not within \(limit): \(what)")
}

/// Runs `body` with a started client and closes it however the body ends.
@discardableResult
func withClient<Value>(
    _ configuration: RedisConfiguration,
    _ body: (RedisClient) async throws -> Value
) async throws -> Value {
    let client = try RedisClient(
        configuration: configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    client.start()
    do {
        let value = try await body(client)
        try await client.close().value()
        return value
    } catch {
        try await client.close().value()
        throw error
    }
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

extension RedisServerProcess {
    var configuration: RedisConfiguration { RedisConfiguration(port: port) }
}

extension RedisClient {
    func isReady(within limit: Duration = .seconds(5)) async throws {
        do {
            try await eventually("ready", within: limit) { status.state.isReady }
        } catch {
            throw TimedOut(description: "\(error), but \(status.state)")
        }
    }

    func call(_ arguments: RESPArgument...) async throws -> RESPValue {
        try await send(arguments).value()
    }
}
