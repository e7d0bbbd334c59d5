import NIOCore
import Rooms

/// A store that several instances share, with what it takes to bring it and a local copy together
/// after an outage. Writes are conditional and atomic, so that instances may do it at once; they
/// are not fenced.
package protocol SharedRoomStore: RoomStore {
    /// Where the rooms stand, in the order asked.
    func heads(of rooms: [String]) -> EventLoopFuture<[StoredHead]>
    /// What there is of a room's log after `version`, gap or not; nil if there is no room of that
    /// epoch.
    func log(of room: String, epoch: Version, after version: Version)
        -> EventLoopFuture<StoredLog?>
    func isFenced(_ incarnation: String) -> EventLoopFuture<Bool>
    /// Continues a log with entries that have versions already.
    func append(
        _ entries: [VersionedEntry], to room: String, at head: RoomPosition,
        summary: RoomSummary
    ) -> EventLoopFuture<ConditionalOutcome>
    /// Puts a room in the place of what is stored: nothing (nil), or a room that stands at
    /// `replacing`. Followers of a replaced room of another epoch hear of its deletion.
    func restore(_ image: RoomImage, replacing: RoomPosition?)
        -> EventLoopFuture<ConditionalOutcome>
}

/// A place in the history of one room of a name.
package struct RoomPosition: Sendable, Hashable {
    package var epoch: Version
    package var version: Version

    package init(epoch: Version, version: Version) {
        self.epoch = epoch
        self.version = version
    }
}

/// What is stored under a room's name.
package struct StoredHead: Sendable, Hashable {
    /// Nil: no room.
    package var position: RoomPosition?
    /// The id of the entry there; empty if unknown. Versions alone could be given twice, by instances
    /// that do not see one another.
    package var lastID: String
    /// The epoch of the last room of that name known to have been deleted; 0 for none.
    package var deletedEpoch: Version

    package init(position: RoomPosition?, lastID: String, deletedEpoch: Version) {
        self.position = position
        self.lastID = lastID
        self.deletedEpoch = deletedEpoch
    }
}

/// A stretch of a log up to its head.
package struct StoredLog: Sendable, Hashable {
    /// The version before the first entry; the head where there is none.
    package var start: Version
    package var head: Version
    package var entries: [VersionedEntry]

    package init(start: Version, head: Version, entries: [VersionedEntry]) {
        self.start = start
        self.head = head
        self.entries = entries
    }
}

/// A whole room, ready to be stored.
package struct RoomImage: Sendable {
    package var room: String
    package var checkpoint: RoomCheckpoint
    /// Without gaps. May begin before the checkpoint; those after it continue it.
    package var log: [VersionedEntry]
    package var summary: RoomSummary

    package init(
        room: String, checkpoint: RoomCheckpoint, log: [VersionedEntry], summary: RoomSummary
    ) {
        self.room = room
        self.checkpoint = checkpoint
        self.log = log
        self.summary = summary
    }

    package var epoch: Version { checkpoint.epoch }
    package var head: Version { max(checkpoint.version, log.last?.version ?? 0) }
    /// The id of the last entry; empty if unknown.
    package var lastID: String { log.last.map { $0.version == head ? $0.entry.id : "" } ?? "" }
}

package enum ConditionalOutcome: Sendable, Hashable {
    case done
    /// What is stored is not what the caller saw.
    case conflict
    /// This room was deleted.
    case deleted
}
