import NIOCore
import Redis
import Rooms

extension RedisRoomStore {
    /// Attempts to read a log that is trimmed meanwhile, page after page.
    private static let maxAttempts = 5

    private var page: [RESPArgument] {
        [RESPArgument(limits.pageEntries), RESPArgument(limits.pageBytes)]
    }

    package func load(_ room: String) -> EventLoopFuture<StoredRoom?> {
        load(room, attempt: 1)
    }

    private func load(_ room: String, attempt: Int) -> EventLoopFuture<StoredRoom?> {
        let firstPage = run(
            .load, keys: [RedisKeys.head(room), RedisKeys.log(room), RedisKeys.checkpoint(room)],
            page, deadline: .bulk
        ) { try Self.storedRoom($0) }
        return firstPage.flatMap { found in
            let loop = firstPage.eventLoop
            guard let (stored, last) = found else { return loop.makeSucceededFuture(nil) }
            if last == stored.head { return loop.makeSucceededFuture(stored) }
            return self.pages(of: room, epoch: stored.epoch, after: last).flatMap { rest in
                if let rest, rest.start == last {
                    return loop.makeSucceededFuture(stored.continued(by: rest))
                }
                guard attempt < Self.maxAttempts else {
                    return loop.makeFailedFuture(
                        RoomStoreError.unavailable("the log does not reach the checkpoint"))
                }
                return self.load(room, attempt: attempt + 1)
            }
        }
    }

    /// The first page of a room, and up to where it reaches.
    private static func storedRoom(
        _ reply: RESPValue
    ) throws(RoomStoreError) -> (StoredRoom, Version)? {
        if reply.isNull { return nil }
        var fields = try RedisReply(reply)
        let epoch = try fields.version()
        let head = try fields.version()
        let checkpointVersion = try fields.version()
        let checkpoint = try fields.next().bytes
        let entries = try fields.entries()
        let stored = StoredRoom(epoch: epoch, head: head, checkpoint: checkpoint, entries: entries)
        return (stored, entries.last?.version ?? checkpointVersion)
    }

    package func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        pages(of: room, epoch: epoch, after: version).map { log in
            guard let log else { return .noRoom }
            return log.start == version ? .entries(log.entries) : .trimmed
        }
    }

    package func log(
        of room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<StoredLog?> {
        pages(of: room, epoch: epoch, after: version)
    }

    /// The log after a version, asked for page by page. Where it was trimmed between two pages, what
    /// was read before is left out.
    private func pages(
        of room: String, epoch: Version, after version: Version, _ collected: StoredLog? = nil
    ) -> EventLoopFuture<StoredLog?> {
        let version = min(version, VersionClock.ceiling + (1 << 32) - 2)
        let onePage = run(
            .read, keys: [RedisKeys.head(room), RedisKeys.log(room)],
            [.version(epoch), .version(version), .version(version + 1)] + page, deadline: .bulk
        ) { try Self.logPage($0) }
        return onePage.flatMap { page in
            guard var log = page else { return onePage.eventLoop.makeSucceededFuture(nil) }
            let isComplete = log.entries.isEmpty || log.entries.last?.version == log.head
            let reached = log.entries.last?.version ?? version
            if let collected, log.start == version {
                log.entries = collected.entries + log.entries
                log.start = collected.start
            }
            if isComplete { return onePage.eventLoop.makeSucceededFuture(log) }
            return self.pages(of: room, epoch: epoch, after: reached, log)
        }
    }

    private static func logPage(_ reply: RESPValue) throws(RoomStoreError) -> StoredLog? {
        if reply.isNull { return nil }
        var fields = try RedisReply(reply)
        let head = try fields.version()
        let entries = try fields.entries()
        return StoredLog(start: entries.first?.previous ?? head, head: head, entries: entries)
    }

    package func summaries() -> EventLoopFuture<[RoomSummary]> {
        client.send(["HVALS", RedisKeys.rooms], deadline: .bulk)
            .flatMapThrowing { reply in
                try (reply.array ?? []).map { value in
                    guard let bytes = value.bytes,
                        let summary = try? RoomSummary(encoded: bytes[...])
                    else { throw RoomStoreError.corrupted("summary") }
                    return summary
                }
            }
            .flatMapErrorThrowing { throw RoomStoreError($0) }
    }
}

extension StoredRoom {
    fileprivate func continued(by rest: StoredLog) -> StoredRoom {
        StoredRoom(
            epoch: epoch, head: rest.head, checkpoint: checkpoint, entries: entries + rest.entries)
    }
}
