import NIOCore
import Redis
import Rooms

/// A shared store in which one instance can ask the others to wait a moment with a room.
///
/// Bringing two sides of a room together takes some round trips, and its write is conditional on
/// what it saw. Where members of another instance go on editing, that would be overtaken again and
/// again; so after a few tries the room is held for the time of one more.
protocol HoldableRoomStore: SharedRoomStore {
    /// Asks others to wait with commits, for `RedisRoomStore.holdMilliseconds` at most.
    func hold(_ room: String, epoch: Version) -> EventLoopFuture<Void>
    func release(_ room: String)
    /// Refuses commits of this store that were sent before it lost its connection and have not
    /// been carried out yet.
    func barLateCommits(to room: String, epoch: Version) -> EventLoopFuture<Void>
}

extension RedisRoomStore: HoldableRoomStore {
    /// How long others wait for one try; a holder that dies delays a room no longer. Longer than a
    /// try takes on a machine that does much else: a hold that ends before the try does not hold.
    static let holdMilliseconds = 2_000
    /// Beyond, a hold is taken for forgotten (Redis goes by the wall clock) and is ended.
    private static let holdPatience: Duration = .milliseconds(2_500)
    private static let holdPause: TimeAmount = .milliseconds(5)

    func hold(_ room: String, epoch: Version) -> EventLoopFuture<Void> {
        run(
            .hold, keys: [RedisKeys.head(room)],
            [.version(epoch), .text(storeID), RESPArgument(Self.holdMilliseconds)]
        ) { _ in }
    }

    func release(_ room: String) {
        _ = run(.release, keys: [RedisKeys.head(room)], [.text(storeID)]) { _ in }
    }

    func barLateCommits(to room: String, epoch: Version) -> EventLoopFuture<Void> {
        let generation = generation.withLockedValue { $0 }
        guard generation > 0 else { return client.eventLoop.makeSucceededVoidFuture() }
        return run(
            .bar, keys: [RedisKeys.head(room)],
            [.version(epoch), .text(storeID), RESPArgument(generation)]
        ) { _ in }
    }

    /// Runs a commit that others may hold up, until they let it through.
    func runUnheld(
        _ commit: @escaping @Sendable () -> EventLoopFuture<CommitOutcome?>, _ room: String,
        since start: ContinuousClock.Instant = .now
    ) -> EventLoopFuture<CommitOutcome> {
        commit().flatMap { outcome in
            let loop = self.client.eventLoop
            if let outcome { return loop.makeSucceededFuture(outcome) }
            var ended = loop.makeSucceededVoidFuture()
            if ContinuousClock.now - start > Self.holdPatience {
                ended = self.run(.release, keys: [RedisKeys.head(room)], [""]) { _ in }
            }
            return ended.hop(to: loop).flatMap {
                loop.scheduleTask(in: Self.holdPause) {}.futureResult
            }.flatMap { self.runUnheld(commit, room, since: start) }
        }
    }
}
