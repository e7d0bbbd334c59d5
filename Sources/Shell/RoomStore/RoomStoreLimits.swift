/// How much of a room's log is kept behind its checkpoint, for those who come back with a position.
///
/// Callers of `save` say how old entries may get; this bounds what that can come to. Entries after
/// the checkpoint are never dropped.
package struct LogLimits: Sendable, Hashable {
    /// Entries behind the checkpoint. Beyond: the oldest go, and readers from there are told
    /// `trimmed`. The memory store only.
    package var entries = 10_000
    /// Bytes of the entries behind the checkpoint. Beyond: as above; the Redis store drops all of
    /// them.
    package var bytes = 8 << 20

    package init() {}
}

/// Every other bound of the room stores.
package struct RoomStoreLimits: Sendable, Hashable {
    /// Bytes of the entries of one commit that travel with its notice. Beyond: the notice names the
    /// head and followers read the log.
    package var inlineNoticeBytes = 64 << 10
    /// Entries of one reply when a log is read; the rest is asked for.
    package var pageEntries = 2_000
    /// Bytes of entries of one such reply, unless a single entry is larger.
    package var pageBytes = 8 << 20
    /// How long a subscription may take to be confirmed. Beyond: `unavailable`.
    package var followDeadline: Duration = .seconds(3)
    /// Seconds for which a declared death is remembered.
    package var fenceSeconds = 86_400
    /// Seconds for which a deletion is remembered. An instance cut off for longer may bring the
    /// room back.
    package var deletionSeconds = 86_400
    /// Rooms whose heads are asked for in one command.
    package var headsPerQuery = 200
    /// Deletions that the memory store remembers. Beyond: the oldest is forgotten.
    package var rememberedDeletions = 10_000

    // MARK: Fallback

    /// Bytes of entries that the process holds for Redis while it is away: those that only it has,
    /// and those remembered (`tailEntries`). Beyond: what is only remembered is forgotten, of the
    /// rooms first that were left alone longest; then edits, uploads and new rooms are refused with
    /// `refusesWrites("STORAGE_UNAVAILABLE")`. The copies of the rooms themselves do not count.
    package var localBytes = 64 << 20
    /// As many more for joins, leaves and the like, or the lists would tell of people who are gone.
    /// Beyond: these are refused too.
    package var localMembershipBytes = 4 << 20
    /// Entries remembered of each followed room: what this instance can give back to a Redis that
    /// returns without its last seconds. Beyond: the oldest are forgotten.
    package var tailEntries = 512
    /// Bytes of these. Beyond: the oldest are forgotten.
    package var tailBytes = 256 << 10
    /// Bytes remembered of all followed rooms together. Beyond: rooms keep one entry each.
    package var tailTotalBytes = 64 << 20
    /// Commits of one room that wait while it is reconciled. Beyond: `overloaded`.
    package var waitingCommits = 64
    /// Operations that wait at start. Beyond: `overloaded`.
    package var waitingAtStart = 10_000
    /// Rooms reconciled at once.
    package var reconciledAtOnce = 8
    /// Bytes of entries in one write to Redis while reconciling, unless a single entry is larger.
    package var appendBytes = 4 << 20
    /// Wait before a room that could not be reconciled is tried again.
    package var reconcileRetry: Duration = .milliseconds(200)
    /// How long requests wait at start for Redis to be found reachable or not.
    package var startWait: Duration = .seconds(2)

    package init() {}
}
