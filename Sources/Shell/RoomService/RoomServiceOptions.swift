import NIOCore
import Rooms

/// How the room service behaves.
package struct RoomServiceOptions: Sendable {
    package var room = RoomLimits()
    package var limits = ServiceLimits()
    package var language = Messages.Language.english
    /// How long an empty room is kept, in milliseconds (`EMPTY_ROOM_TTL`).
    package var emptyRoomMilliseconds: Int64 = 3_600_000
    /// How long the members of a dead instance that is silent may come back, in milliseconds: as
    /// long as their clients need to notice, and some seconds more. Of one that refuses
    /// connections, or runs anew, they have 3 s.
    package var silentReturnMilliseconds: Int64 = 0

    /// Whether clients are told what they need to come back as who they were
    /// (`CONNECTION_RECOVERY`).
    package var offersRecovery = true

    package init() {}
}

/// What a client can reach, with what happens beyond it.
package struct ServiceLimits: Sendable, Hashable {
    /// Events of one socket in a second, on average. Beyond: `RATE_LIMITED`.
    package var eventsPerSecond = 500
    /// Events of one socket at once before the average counts.
    package var eventBurst = 2_000
    /// Events of all sockets of one client address in a second, on average. Beyond:
    /// `RATE_LIMITED`. As the other limits of an address, not for addresses of trusted proxies.
    package var eventsPerSecondPerAddress = 10_000
    /// Events of one address at once before the average counts.
    package var eventBurstPerAddress = 20_000
    /// Requests of one socket that wait for one before them (join, create, leave, delete).
    /// Beyond: `RATE_LIMITED`.
    package var waitingRequests = 256
    /// Bytes of these, unless it is one alone. Beyond: `RATE_LIMITED`.
    package var waitingBytes = 32 << 20
    /// Rooms that one client address may create in a minute. Beyond: `RATE_LIMITED`.
    package var roomsCreatedPerMinute = 300
    /// Wrong passwords of one client address in a minute, trusted or not. Beyond: `RATE_LIMITED`.
    package var wrongPasswordsPerMinute = 30
    /// Error notices to one socket in a second, on average. Beyond: the notice is left out, an ack
    /// callback is still answered.
    package var noticesPerSecond = 10
    /// Addresses remembered for the limits above. Beyond: the longest unseen is forgotten.
    package var rememberedAddresses = 10_000
    /// Operations of one room that wait for their commit. Beyond: `RATE_LIMITED`.
    package var queuedOperations = 20_000
    /// Bytes of these, unless it is one alone. Beyond: `RATE_LIMITED`.
    package var queuedBytes = 64 << 20
    /// Operations of one commit.
    package var batchOperations = 256
    /// Bytes of one commit, unless a single operation is larger.
    package var batchBytes = 1 << 20
    /// Bytes of a scene from which on it is checked and made a checkpoint off the event loops, which
    /// would stand still for some 2 ms a megabyte. Less is done at once.
    package var heavyBytes = 256 << 10
    /// Log bytes after which a checkpoint is written: at least this, and the scene's own size.
    package var checkpointBytes = 1 << 20
    /// Milliseconds of log that stay readable behind a checkpoint.
    package var logMilliseconds: UInt64 = 120_000
    /// Edits held back for one busy or slow client. Beyond: it gets a fresh scene instead.
    package var heldEvents = 1_000
    /// Bytes of these. Beyond: as above.
    package var heldBytes = 4 << 20
    /// Bytes held back for all clients of the instance. Beyond: of the room's clients the one with
    /// the most gets a fresh scene instead.
    package var heldBytesOfAll = 64 << 20
    /// Notices (who came, who went) and lists held back for one slow client. Beyond: the oldest
    /// are left out; of each list the latest is there in any case.
    package var heldNotices = 100
    /// Milliseconds between two lists of members of a room. Changes meanwhile: one list at the end.
    package var listMilliseconds: Int64 = 100
    /// Bytes of such lists that a room sends to all its clients in a second. Beyond: the time
    /// between two is longer, and many changes are one list.
    package var listBytesPerSecond: Int64 = 20_000_000
    /// The longest such time, in milliseconds, whatever that makes of the bytes.
    package var listMillisecondsAtMost: Int64 = 5_000
    /// Edits that come at once, the oldest this many milliseconds after it was made: beyond, the
    /// members get a fresh scene instead.
    package var overdueEdits = 100
    /// Milliseconds for `overdueEdits`; longer than a store that works takes.
    package var overdueMilliseconds: Int64 = 2_500
    /// Milliseconds that a member stays in the room whose connection broke, if its client may come
    /// back by itself. Beyond: it leaves.
    package var returnMilliseconds: Int64 = 3_000
    /// Clients that look for what they missed at once. Beyond: the next wait in order.
    package var recoveriesAtOnce = 64
    /// Clients that wait for that. Beyond: they come back as new.
    package var recoveriesWaiting = 10_000
    /// Milliseconds that a returning client waits for a room that cannot be opened at the moment.
    /// Beyond: it comes back as new.
    package var recoveryPatience: Int64 = 2_000
    /// Log entries that a returning client may have missed. Beyond: it gets the scene instead.
    package var recoveredEntries = 2_000
    /// Bytes of these. Beyond: it gets the scene instead.
    package var recoveredBytes = 2 << 20
    /// Log entries of one room kept while clients return to it. Beyond: those on their way get the
    /// scene.
    package var recentEntries = 10_000
    /// Bytes of these. Beyond: as with `recentEntries`.
    package var recentBytes = 8 << 20
    /// Milliseconds that they are kept after the last client asked.
    package var recentMilliseconds: Int64 = 5_000
    /// Rooms of all instances, as last listed. Beyond: `CREATION_ERROR`.
    package var rooms = 100_000

    package init() {}
}
