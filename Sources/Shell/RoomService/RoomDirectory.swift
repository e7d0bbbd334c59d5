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

    fileprivate struct Cache: Sendable {
        var readAt: Int64 = .min / 2
        var list: EventLoopFuture<RoomList>?
        var isReading = false
        /// Something changed since the read under way began.
        var isOutdated = false
        /// The read after that, if somebody waits for it.
        var next: EventLoopPromise<RoomList>?
        var lastCount = 0
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
        rooms().map { list in
            let now = self.environment.clock.nowMilliseconds
            return list.rooms.map { summary in
                let owner = self.cluster.owner(of: summary.id)
                return RoomItem(
                    summary: summary, ownerID: owner.id, ownerURL: owner.url,
                    nowMilliseconds: now)
            }
        }
    }

    func rooms() -> EventLoopFuture<RoomList> {
        let now = environment.clock.elapsedMilliseconds
        let promise = eventLoop.makePromise(of: RoomList.self)
        enum Step {
            case take(EventLoopFuture<RoomList>)
            case wait
            case read
        }
        let step: Step = cache.withLockedValue { cache in
            if cache.isReading, cache.isOutdated {
                if let next = cache.next { return .take(next.futureResult) }
                cache.next = promise
                return .wait
            }
            if let list = cache.list, cache.isReading || now - cache.readAt < Self.freshness {
                return .take(list)
            }
            cache.beginReading(into: promise)
            return .read
        }
        switch step {
        case .take(let list):
            promise.succeed(RoomList([]))
            return list
        case .wait: break
        case .read: read(into: promise)
        }
        return promise.futureResult
    }

    /// The next asker gets a list read after this moment.
    func noteChange() {
        cache.withLockedValue { cache in
            if cache.isReading { cache.isOutdated = true } else { cache.list = nil }
        }
    }

    /// Rooms on the list that was read last.
    var lastCount: Int { cache.withLockedValue { $0.lastCount } }

    private func read(into promise: EventLoopPromise<RoomList>) {
        environment.store.summaries().whenComplete { result in
            let now = self.environment.clock.elapsedMilliseconds
            let next = self.cache.withLockedValue { $0.ended(result, at: now) }
            switch result {
            case .success(let summaries):
                self.environment.heavy(
                    summaries.count * RoomList.bytesPerRoom, answerOn: self.eventLoop
                ) { RoomList(summaries) }.cascade(to: promise)
            case .failure(let error): promise.fail(error)
            }
            if let next { self.read(into: next) }
        }
    }
}

extension RoomDirectory.Cache {
    fileprivate mutating func beginReading(into promise: EventLoopPromise<RoomList>) {
        list = promise.futureResult
        isReading = true
        isOutdated = false
    }

    /// Gives the promise of the read to begin now, if there is one.
    fileprivate mutating func ended(
        _ result: Result<[RoomSummary], any Error>, at now: Int64
    ) -> EventLoopPromise<RoomList>? {
        isReading = false
        readAt = now
        switch result {
        case .success(let summaries): lastCount = summaries.count
        case .failure: list = nil
        }
        if isOutdated { list = nil }
        guard let next else { return nil }
        self.next = nil
        beginReading(into: next)
        return next
    }
}
