import NIOCore

/// How the shared store behind a `FallbackRoomStore` can be used.
package enum StoreAvailability: Sendable, Hashable {
    /// Not known yet: requests wait.
    case undecided
    case full
    /// It answers, yet refuses writes.
    case readOnly(String)
    case away(String)
}

/// Where a `FallbackRoomStore` keeps rooms at the moment.
package enum FallbackState: Sendable, Hashable {
    /// Everything is in the shared store.
    case durable
    /// The shared store is away or refuses writes; rooms go on in memory.
    case local(since: NIODeadline, reason: String)
    /// The shared store is back; so many rooms have yet to be compared with it or brought to it.
    case reconciling(pending: Int)

    package var isDurable: Bool { self == .durable }
}

/// What a `FallbackRoomStore` has done since it was made.
package struct FallbackCounts: Sendable, Hashable {
    /// Entries that were committed in memory only, at first.
    package var localEntries: UInt64 = 0
    /// Bytes of entries held for the shared store now.
    package var localBytes = 0
    package var refusedCommits: UInt64 = 0
    /// Rooms of which nothing is remembered any more, for want of memory.
    package var forgottenTails: UInt64 = 0
    /// Rooms found as they were left.
    package var unchangedRooms: UInt64 = 0
    /// Rooms whose log was continued.
    package var appendedRooms: UInt64 = 0
    /// Rooms put back where nothing or something older was stored.
    package var restoredRooms: UInt64 = 0
    /// Rooms that both sides had changed.
    package var mergedRooms: UInt64 = 0
    /// Rooms that had been deleted, or made anew by others before.
    package var yieldedRooms: UInt64 = 0
    /// Local deletions that were not carried out because others had gone on with the room.
    package var keptRooms: UInt64 = 0
    package var failures: UInt64 = 0
}
