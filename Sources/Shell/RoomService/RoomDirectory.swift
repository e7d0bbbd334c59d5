import JSON
import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms

/// One room as lists show it (R33, R34: no socket id, no secret).
package struct RoomItem: Sendable, Hashable {
    package var summary: RoomSummary
    /// The instance that the ring names at the moment.
    package var ownerID: String
    package var ownerURL: String
    package var nowMilliseconds: Int64

    package var json: JSONValue {
        [
            "id": .string(summary.id), "displayName": .string(summary.id),
            "userCount": .integer(summary.userCount), "users": .integer(summary.userCount),
            "isProtected": .bool(summary.isProtected), "hasEditor": .bool(summary.hasEditor),
            "host": .string(summary.hostName), "serverInstance": .string(ownerID),
            "serverUrl": .string(ownerURL), "isAvailable": true, "serverStatus": "online",
            "createdAt": .int(summary.createdAt), "lastActivity": .int(summary.lastActivity),
            "timeSinceActivity": .int(max(0, nowMilliseconds - summary.lastActivity)),
        ]
    }
}

/// The list of all rooms, read from the store at most twice a second however many ask (C44).
final class RoomDirectory: Sendable {
    /// Milliseconds for which a list is good.
    private static let freshness: Int64 = 500

    private struct Cache: Sendable {
        var readAt: Int64 = .min / 2
        var list: EventLoopFuture<[RoomSummary]>?
        var isReading = false
    }

    private let environment: RoomEnvironment
    private let cluster: any ClusterView
    private let eventLoop: any EventLoop
    private let cache = NIOLockedValueBox(Cache())

    init(environment: RoomEnvironment, cluster: any ClusterView, eventLoop: any EventLoop) {
        self.environment = environment
        self.cluster = cluster
        self.eventLoop = eventLoop
    }

    /// All rooms, the last active first.
    func roomItems() -> EventLoopFuture<[RoomItem]> {
        summaries().map { summaries in
            let now = self.environment.clock.nowMilliseconds
            return summaries.map { summary in
                let owner = self.cluster.owner(of: summary.id)
                return RoomItem(
                    summary: summary, ownerID: owner.id, ownerURL: owner.url,
                    nowMilliseconds: now)
            }
        }
    }

    func summaries() -> EventLoopFuture<[RoomSummary]> {
        let now = environment.clock.elapsedMilliseconds
        let promise = eventLoop.makePromise(of: [RoomSummary].self)
        let (list, mustRead) = cache.withLockedValue { cache in
            if let list = cache.list, cache.isReading || now - cache.readAt < Self.freshness {
                return (list, false)
            }
            cache.list = promise.futureResult
            cache.isReading = true
            return (promise.futureResult, true)
        }
        if mustRead { read(into: promise) } else { promise.succeed([]) }
        return list
    }

    /// The next asker gets a list read after this moment.
    func noteChange() {
        cache.withLockedValue { cache in
            if !cache.isReading { cache.list = nil }
        }
    }

    private func read(into promise: EventLoopPromise<[RoomSummary]>) {
        environment.store.summaries().whenComplete { result in
            let now = self.environment.clock.elapsedMilliseconds
            self.cache.withLockedValue { cache in
                cache.isReading = false
                cache.readAt = now
                if case .failure = result { cache.list = nil }
            }
            promise.completeWith(
                result.map { list in list.sorted { ($0.version, $0.id) > ($1.version, $1.id) } })
        }
    }
}
