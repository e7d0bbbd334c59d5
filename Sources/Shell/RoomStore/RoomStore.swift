import JSON
import NIOCore
import Rooms

/// Where rooms are kept: for each room an ordered log, and checkpoints of the state it folds to.
///
/// Guarantees, the same for every implementation (one suite tests them all):
/// - A commit is one atomic step: the room's head moves, the entries are appended with versions
///   that rise above everything before, the summary is written, followers are notified. All or
///   nothing.
/// - `create` succeeds for one of any number of concurrent callers.
/// - Entries name the version before their own, the first one 0; a reader can tell a gap.
/// - `read` gives every entry after a version, or says that the log no longer reaches back.
/// - What was committed with `durable == true` survives the death of this process.
///
/// Methods may be called from any thread. A future that fails carries `RoomStoreError`; whether a
/// failed commit happened is then unknown, and entry ids tell it later.
package protocol RoomStore: Sendable {
    func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome>
    func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome>
    /// Removes the room, its log, checkpoint and summary in one step, and notifies followers.
    /// Conditional on `batch.expected`; the batch's entries (the last is `.deleted`) are not kept.
    func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome>
    /// The newest checkpoint and all entries after it; nil if there is no such room.
    func load(_ room: String) -> EventLoopFuture<StoredRoom?>
    func read(_ room: String, epoch: Version, after version: Version) -> EventLoopFuture<LogRead>
    /// Keeps a checkpoint, unless a newer one is there, and trims the log up to `trimBefore`.
    func save(_ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version)
        -> EventLoopFuture<Void>
    func summaries() -> EventLoopFuture<[RoomSummary]>
    /// Notices for the room go to the follower from the moment the future succeeds. One follower a
    /// room. It hears what others commit; of what is committed through this same store only
    /// deletions.
    func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void>
    func unfollow(_ room: String)
    /// As `unfollow`, by a follower of an incarnation that was declared dead: if the room got lost,
    /// its copy may be the last there is.
    func unfollow(_ room: String, leaving copy: RoomCheckpoint)
}

extension RoomStore {
    package func unfollow(_ room: String, leaving copy: RoomCheckpoint) { unfollow(room) }
}

/// Somebody who keeps a copy of a room up to date: gets notices, and lends its state to the
/// fallback when the shared store is away.
package protocol RoomFollower: AnyObject, Sendable {
    /// All methods below are called on this loop.
    var eventLoop: any EventLoop { get }
    func received(_ notice: RoomNotice)
    /// The follower's copy as it is now; nil while it has none.
    func currentCheckpoint() -> RoomCheckpoint?
    /// Where the follower's copy stands: what `currentCheckpoint` says, without its cost.
    func currentPosition() -> RoomPosition?
}

extension RoomFollower {
    package func currentPosition() -> RoomPosition? {
        currentCheckpoint().map { RoomPosition(epoch: $0.epoch, version: $0.version) }
    }
}

/// What a follower hears. Notices may be lost, doubled or out of order; the log is the truth.
package enum RoomNotice: Sendable {
    case entries([VersionedEntry], epoch: Version)
    /// The log reaches to this version; the bodies were too large to travel.
    case head(Version, epoch: Version)
    case deleted(RoomEntry?, epoch: Version)
    /// The stored room is no longer what the follower's copy grew from (after an outage): load it
    /// anew and give members a fresh snapshot.
    case replaced
}

package struct RoomCheckpoint: Sendable, Hashable {
    package var epoch: Version
    /// The version of the last entry that the state contains.
    package var version: Version
    /// `RoomState.checkpoint()`.
    package var bytes: [UInt8]
    package var summary: RoomSummary

    package init(epoch: Version, version: Version, bytes: [UInt8], summary: RoomSummary) {
        self.epoch = epoch
        self.version = version
        self.bytes = bytes
        self.summary = summary
    }
}

package struct StoredRoom: Sendable, Hashable {
    package var epoch: Version
    package var head: Version
    /// Nil while the log still begins with the creating entry.
    package var checkpoint: [UInt8]?
    package var entries: [VersionedEntry]

    package init(
        epoch: Version, head: Version, checkpoint: [UInt8]?, entries: [VersionedEntry]
    ) {
        self.epoch = epoch
        self.head = head
        self.checkpoint = checkpoint
        self.entries = entries
    }
}

package enum LogRead: Sendable, Hashable {
    case entries([VersionedEntry])
    /// The log begins later: take a snapshot.
    case trimmed
    case noRoom
}

package struct CreateRequest: Sendable {
    package var room: String
    /// The incarnation that creates.
    package var origin: String
    /// `.created` first.
    package var entries: [RoomEntry]
    /// The first entry's version, unless the store has given a higher one.
    package var proposed: Version
    /// Makes the summary once versions are known (epoch = first version).
    package var summary: RoomSummary

    package init(
        room: String, origin: String, entries: [RoomEntry], proposed: Version,
        summary: RoomSummary
    ) {
        self.room = room
        self.origin = origin
        self.entries = entries
        self.proposed = proposed
        self.summary = summary
    }
}

package enum CreateOutcome: Sendable, Hashable {
    /// `epoch` is the first entry's version; the others follow without gaps.
    case created(epoch: Version, durable: Bool)
    case exists
    case fenced
}

package struct CommitBatch: Sendable {
    package var room: String
    package var epoch: Version
    /// The incarnation that commits; a fenced one is refused.
    package var origin: String
    package var entries: [RoomEntry]
    /// The lowest version for the first entry: from the committer's clock.
    package var proposed: Version
    /// The head that the batch was decided on.
    package var expected: Version
    /// Refuse with `.conflict` if the head is another than `expected`.
    package var conditional: Bool
    /// As it will be after the batch; kept only if the head was `expected`. The store sets its
    /// `version`.
    package var summary: RoomSummary

    package init(
        room: String, epoch: Version, origin: String, entries: [RoomEntry], proposed: Version,
        expected: Version, conditional: Bool, summary: RoomSummary
    ) {
        self.room = room
        self.epoch = epoch
        self.origin = origin
        self.entries = entries
        self.proposed = proposed
        self.expected = expected
        self.conditional = conditional
        self.summary = summary
    }
}

package enum CommitOutcome: Sendable, Hashable {
    /// Entry `i` has version `first + i`; the first one's previous is `previous`. `durable` is
    /// false for what only this instance's memory holds until the shared store is back.
    case committed(previous: Version, first: Version, durable: Bool)
    case conflict(head: Version)
    case noRoom
    /// This incarnation was declared dead: it must change nothing more.
    case fenced
}

package enum RoomStoreError: Error, Sendable, Hashable {
    /// The store cannot be reached and there is no local copy to go on from. Whether the operation
    /// happened is unknown.
    case unavailable(String)
    /// The store refuses writes (out of memory, read-only, failed persistence).
    case refusesWrites(code: String)
    /// Too much is under way already; nothing was done.
    case overloaded
    /// The store came back with older data: its head lies before the batch's `expected`. Nothing
    /// was done.
    case behind(head: Version)
    /// Stored bytes cannot be read.
    case corrupted(String)
}
