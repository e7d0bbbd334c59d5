import NIOCore
import Redis
import Rooms

extension RedisRoomStore {
    package func heads(of rooms: [String]) -> EventLoopFuture<[StoredHead]> {
        let chunks = stride(from: 0, to: rooms.count, by: limits.headsPerQuery).map {
            rooms[$0..<min($0 + limits.headsPerQuery, rooms.count)]
        }
        let replies = chunks.map { chunk in
            run(.heads, keys: chunk.flatMap { [RedisKeys.head($0), RedisKeys.deleted($0)] }, []) {
                try Self.storedHeads($0)
            }
        }
        return EventLoopFuture.whenAllSucceed(replies, on: client.eventLoop).map {
            $0.flatMap(\.self)
        }
    }

    private static func storedHeads(_ reply: RESPValue) throws(RoomStoreError) -> [StoredHead] {
        var fields = try RedisReply(reply)
        var heads: [StoredHead] = []
        while !fields.isAtEnd {
            let epoch = try fields.optionalVersion()
            let version = try fields.optionalVersion()
            let lastID = try fields.next().string
            let deleted = try fields.optionalVersion() ?? 0
            let position = epoch.flatMap { epoch in
                version.map { RoomPosition(epoch: epoch, version: $0) }
            }
            heads.append(
                StoredHead(position: position, lastID: lastID ?? "", deletedEpoch: deleted))
        }
        return heads
    }

    package func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        client.send(["EXISTS", RedisKeys.fence(incarnation)])
            .map { $0.int == 1 }
            .flatMapErrorThrowing { throw RoomStoreError($0) }
    }

    package func append(
        _ entries: [VersionedEntry], to room: String, at head: RoomPosition, summary: RoomSummary
    ) -> EventLoopFuture<ConditionalOutcome> {
        let last = entries.last?.version ?? head.version
        var arguments: [RESPArgument] = [
            .version(head.epoch), .version(head.version), .version(last), .text(room),
            RESPArgument(summary.encoded(at: RoomPosition(epoch: head.epoch, version: last))),
            .text(RedisKeys.notices(room)), .text(storeID), .text(entries.last?.entry.id ?? ""),
        ]
        arguments += entries.flatMap(\.arguments)
        return run(
            .append, keys: [RedisKeys.head(room), RedisKeys.log(room), RedisKeys.rooms], arguments,
            deadline: .bulk
        ) { try ConditionalOutcome($0) }
    }

    package func restore(
        _ image: RoomImage, replacing: RoomPosition?
    ) -> EventLoopFuture<ConditionalOutcome> {
        let room = image.room
        let bodies = image.log.map { (entry: $0, body: $0.entry.encoded) }
        let after = bodies.filter { $0.entry.version > image.checkpoint.version }
        let bytesAfter = after.reduce(0) { $0 + $1.body.count }
        let bytesBehind = bodies.reduce(0) { $0 + $1.body.count } - bytesAfter
        let position = RoomPosition(epoch: image.epoch, version: image.head)
        var arguments: [RESPArgument] = [
            .version(image.epoch), .version(image.head), .version(image.checkpoint.version),
            RESPArgument(image.checkpoint.bytes),
            replacing.map { .version($0.epoch) } ?? "",
            replacing.map { .version($0.version) } ?? "",
            .text(room), RESPArgument(image.summary.encoded(at: position)),
            .text(RedisKeys.notices(room)), .text(storeID), RESPArgument(limits.deletionSeconds),
            RESPArgument(bytesAfter), RESPArgument(bytesBehind), .text(image.lastID),
        ]
        for (entry, body) in bodies {
            arguments += [.version(entry.version), .version(entry.previous), RESPArgument(body)]
        }
        return run(
            .restore,
            keys: [
                RedisKeys.head(room), RedisKeys.log(room), RedisKeys.rooms,
                RedisKeys.checkpoint(room), RedisKeys.deleted(room),
            ], arguments, deadline: .bulk
        ) { try ConditionalOutcome($0) }
    }
}

extension ConditionalOutcome {
    fileprivate init(_ reply: RESPValue) throws(RoomStoreError) {
        switch reply.string {
        case "DONE": self = .done
        case "CONFLICT": self = .conflict
        case "DELETED": self = .deleted
        default: throw .corrupted("reply: \(reply)")
        }
    }
}

extension VersionedEntry {
    fileprivate var arguments: [RESPArgument] {
        [.version(version), .version(previous), RESPArgument(entry.encoded)]
    }
}

extension RoomSummary {
    fileprivate func encoded(at position: RoomPosition) -> [UInt8] {
        var summary = self
        summary.epoch = position.epoch
        summary.version = position.version
        return summary.encoded
    }
}
