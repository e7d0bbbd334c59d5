import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Redis
import Rooms

/// Rooms in Redis. Every operation is one script.
///
/// Followers hear nothing of what was published while the subscription was away, nor is a Redis
/// that came back with older data set right: `FallbackRoomStore` does both.
package final class RedisRoomStore: SharedRoomStore {
    let client: RedisClient
    let limits: RoomStoreLimits
    private let logLimits: LogLimits
    private let logger: Logger
    /// Tells own notices from others'.
    let storeID: String
    /// Counts the connections given up; see `bar`.
    let generation = NIOLockedValueBox(0)
    private let followers = NIOLockedValueBox<[String: any RoomFollower]>([:])

    package init(
        client: RedisClient, logLimits: LogLimits = LogLimits(),
        limits: RoomStoreLimits = RoomStoreLimits(), logger: Logger = Logger(label: "room-store")
    ) {
        self.client = client
        self.logLimits = logLimits
        self.limits = limits
        self.logger = logger
        storeID = String(UInt64.random(in: .min ... .max), radix: 16)
        client.onStateChange { [generation] state in
            if case .down = state { generation.withLockedValue { $0 += 1 } }
        }
    }

    // MARK: Writing

    package func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        let room = request.room
        let summary = SummaryTemplate(request.summary)
        var arguments: [RESPArgument] = [
            .version(request.proposed), .text(room), .bytes(summary.beforeEpoch),
            .bytes(summary.afterVersion), .text(RedisKeys.notices(room)), .text(storeID),
            .text(request.entries.last?.id ?? ""),
        ]
        arguments += request.entries.map { .bytes($0.encoded[...]) }
        return run(
            .create,
            keys: [
                RedisKeys.head(room), RedisKeys.log(room), RedisKeys.rooms,
                RedisKeys.fence(request.origin), RedisKeys.checkpoint(room),
                RedisKeys.deleted(room),
            ], arguments
        ) { reply in
            switch reply.string {
            case "EXISTS": return .exists
            case "FENCED": return .fenced
            default:
                guard let epoch = reply.version else { throw RoomStoreError.corrupted("epoch") }
                return .created(epoch: epoch, durable: true)
            }
        }
    }

    package func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        let room = batch.room
        let bodies = batch.entries.map(\.encoded)
        let isInline =
            !bodies.isEmpty && bodies.reduce(0) { $0 + $1.count } <= limits.inlineNoticeBytes
        let summary = SummaryTemplate(batch.summary)
        var arguments: [RESPArgument] = [
            .version(batch.epoch), .version(batch.expected), batch.conditional ? 1 : 0,
            .version(batch.proposed), isInline ? 1 : 0, .text(RedisKeys.notices(room)),
            .text("\(batch.epoch) \(storeID)"),
            .text(isInline ? bodies.map { "\($0.count)" }.joined(separator: ",") : ""),
            .text(room), .bytes(summary.beforeVersion), .bytes(summary.afterVersion),
            .text(batch.entries.last?.id ?? ""),
        ]
        arguments.append(RESPArgument(generation.withLockedValue { $0 }))
        arguments += bodies.map { .bytes($0[...]) }
        let (keys, all) = (
            [
                RedisKeys.head(room), RedisKeys.log(room), RedisKeys.rooms,
                RedisKeys.fence(batch.origin),
            ], arguments
        )
        let attempt: @Sendable () -> EventLoopFuture<CommitOutcome?> = {
            self.run(.commit, keys: keys, all) { reply in
                reply.string == "HELD" ? nil : try Self.outcome(reply)
            }
        }
        return runUnheld(attempt, room)
    }

    package func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        let room = batch.room
        return run(
            .delete,
            keys: [
                RedisKeys.head(room), RedisKeys.log(room), RedisKeys.rooms,
                RedisKeys.fence(batch.origin), RedisKeys.checkpoint(room),
                RedisKeys.deleted(room),
            ],
            [
                .version(batch.epoch), .version(batch.expected), batch.conditional ? 1 : 0,
                .version(batch.proposed), .text(room), .text(RedisKeys.notices(room)),
                .text(storeID), RESPArgument(limits.deletionSeconds),
                RESPArgument(batch.entries.last?.encoded ?? []),
            ]
        ) { try Self.outcome($0) }
    }

    package func save(
        _ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version
    ) -> EventLoopFuture<Void> {
        run(
            .save,
            keys: [RedisKeys.head(room), RedisKeys.log(room), RedisKeys.checkpoint(room)],
            [
                .version(checkpoint.epoch), .version(checkpoint.version),
                RESPArgument(checkpoint.bytes), .version(trimBefore),
                RESPArgument(logLimits.bytes),
            ], deadline: .bulk
        ) { _ in }
    }

    private static func outcome(_ reply: RESPValue) throws(RoomStoreError) -> CommitOutcome {
        if let text = reply.string {
            let words = text.split(separator: " ")
            let head = words.count == 2 ? Version(digits: words[1].utf8) : nil
            switch (words.first, head) {
            case ("FENCED", _): return .fenced
            case ("NOROOM", _): return .noRoom
            case ("CONFLICT", let head?): return .conflict(head: head)
            case ("BEHIND", let head?): throw .behind(head: head)
            default: throw .corrupted("reply: \(text.prefix(40))")
            }
        }
        var fields = try RedisReply(reply)
        return .committed(
            previous: try fields.version(), first: try fields.version(), durable: true)
    }

    // MARK: Following

    package func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        followers.withLockedValue { $0[room] = follower }
        let confirmed = client.subscribe(RedisKeys.notices(room)) { [weak self] message in
            self?.received(message.payload, for: room)
        }
        let promise = client.eventLoop.makePromise(of: Void.self)
        let deadline = client.eventLoop.scheduleTask(in: TimeAmount(limits.followDeadline)) {
            promise.fail(RoomStoreError.unavailable("the subscription is not confirmed"))
        }
        confirmed.whenComplete { result in
            deadline.cancel()
            promise.completeWith(result.mapError { RoomStoreError($0) })
        }
        return promise.futureResult
    }

    package func unfollow(_ room: String) {
        followers.withLockedValue { $0[room] = nil }
        client.unsubscribe(RedisKeys.notices(room))
    }

    private func received(_ payload: [UInt8], for room: String) {
        guard let notice = RedisNotice(payload) else {
            return logger.warning("unreadable notice", metadata: ["room": "\(room)"])
        }
        guard notice.isDeletion || !notice.store.elementsEqual(storeID.utf8),
            let follower = followers.withLockedValue({ $0[room] })
        else { return }
        follower.eventLoop.execute { follower.received(notice.roomNotice()) }
    }
}

// MARK: - Scripts

extension RedisRoomStore {
    /// Runs a script; the reply is read on the caller's loop, if it is on one.
    func run<Value: Sendable>(
        _ script: RedisScript, keys: [RESPArgument], _ arguments: [RESPArgument],
        deadline: Duration? = nil, _ read: @escaping @Sendable (RESPValue) throws -> Value
    ) -> EventLoopFuture<Value> {
        let loop = MultiThreadedEventLoopGroup.currentEventLoop ?? client.eventLoop
        return client.eval(script, keys: keys, arguments: arguments, deadline: deadline)
            .hop(to: loop)
            .flatMapThrowing { reply in
                do { return try read(reply) } catch { throw RoomStoreError(error) }
            }
            .flatMapErrorThrowing { throw RoomStoreError($0) }
    }
}

extension Duration {
    /// For commands that carry whole rooms.
    static let bulk: Duration = .seconds(10)
}

extension RESPArgument {
    static func version(_ version: Version) -> RESPArgument {
        RESPArgument(min(version, VersionClock.ceiling + (1 << 32) - 1))
    }
}
