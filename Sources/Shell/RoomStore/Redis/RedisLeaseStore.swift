import NIOCore
import Redis

/// Leases in Redis. One round trip a heartbeat: writes the own, reads all.
package final class RedisLeaseStore: LeaseStore {
    private let client: RedisClient
    private let limits: RoomStoreLimits

    package init(client: RedisClient, limits: RoomStoreLimits = RoomStoreLimits()) {
        self.client = client
        self.limits = limits
    }

    package func renew(_ lease: Lease) -> EventLoopFuture<LeaseReply> {
        run(
            .renewLease, fencing: lease.incarnation,
            [.text(lease.incarnation), RESPArgument(lease.encoded)]
        ) { reply in
            guard let values = reply.array else { return .fenced }
            return .renewed(values.compactMap { $0.bytes.flatMap { Lease(encoded: $0[...]) } })
        }
    }

    package func fence(_ incarnation: String, beat: UInt64?) -> EventLoopFuture<Bool> {
        run(
            .fence, fencing: incarnation,
            [
                .text(incarnation), .text(beat.map { "\($0)" } ?? ""), .text(Lease.beatMember),
                RESPArgument(limits.fenceSeconds),
            ]
        ) { $0.int == 1 }
    }

    package func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        client.send(["EXISTS", RedisKeys.fence(incarnation)])
            .map { $0.int == 1 }
            .flatMapErrorThrowing { throw RoomStoreError($0) }
    }

    package func release(_ incarnation: String) -> EventLoopFuture<Void> {
        client.send(["HDEL", RedisKeys.leases, .text(incarnation)])
            .map { _ in }
            .flatMapErrorThrowing { throw RoomStoreError($0) }
    }

    private func run<Value: Sendable>(
        _ script: RedisScript, fencing incarnation: String, _ arguments: [RESPArgument],
        _ read: @escaping @Sendable (RESPValue) -> Value
    ) -> EventLoopFuture<Value> {
        client.eval(
            script, keys: [RedisKeys.leases, RedisKeys.fence(incarnation)], arguments: arguments
        )
        .map(read)
        .flatMapErrorThrowing { throw RoomStoreError($0) }
    }
}
