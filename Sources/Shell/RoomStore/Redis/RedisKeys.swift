import Redis

/// Every key and channel of the room store in Redis. A room's own keys share a hash tag; the index,
/// the leases and the fences do not (docs/decisions/0002-redis-layout.md).
enum RedisKeys {
    /// Hash: `v` head version, `id` of the last entry, `epoch`, `cp` checkpoint version, `lb` log
    /// bytes since the checkpoint, `kb` log bytes kept behind it at most; `hold` who asks others to
    /// wait, and until when (Unix ms); `g:<store id>` the generation below which commits are late.
    static func head(_ room: String) -> RESPArgument { .text("tandem:{\(room)}:head") }
    /// Stream of entries: id `<version>-0`, fields `p` (the version before) and `e` (JSON).
    static func log(_ room: String) -> RESPArgument { .text("tandem:{\(room)}:log") }
    /// String: `RoomState.checkpoint()`.
    static func checkpoint(_ room: String) -> RESPArgument { .text("tandem:{\(room)}:checkpoint") }
    /// String with an expiry: the epoch of the last room of this name that was deleted.
    static func deleted(_ room: String) -> RESPArgument { .text("tandem:{\(room)}:deleted") }
    /// Channel: `RedisNotice`.
    static func notices(_ room: String) -> String { "tandem:{\(room)}:notices" }
    /// Hash: room → `RoomSummary.encoded`.
    static let rooms: RESPArgument = "tandem:rooms"
    /// Hash: incarnation → `Lease.encoded`.
    static let leases: RESPArgument = "tandem:leases"
    /// String with an expiry: this incarnation was declared dead.
    static func fence(_ incarnation: String) -> RESPArgument {
        .text("tandem:fenced:\(incarnation)")
    }
}
