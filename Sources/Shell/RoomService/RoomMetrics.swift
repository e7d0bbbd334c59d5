import NIOConcurrencyHelpers

/// Counters of the room service since start.
package final class RoomMetrics: Sendable {
    package struct Counts: Sendable, Hashable {
        package var commits: UInt64 = 0
        package var committedEntries: UInt64 = 0
        package var localEntries: UInt64 = 0
        package var conflicts: UInt64 = 0
        package var gapReads: UInt64 = 0
        package var snapshotsSent: UInt64 = 0
        package var refusals: UInt64 = 0
        package var rateLimited: UInt64 = 0
        package var storeFailures: UInt64 = 0
        package var roomsCreated: UInt64 = 0
        package var roomsDeleted: UInt64 = 0
        package var membersSwept: UInt64 = 0
        package var redirects: UInt64 = 0
        package var oversizedMessages: UInt64 = 0
        package var fenced: UInt64 = 0
        /// Clients that came back as the members they were, with what they missed.
        package var recoveries: UInt64 = 0
        /// Members that came back and got the scene instead of what they missed.
        package var recoveriesByScene: UInt64 = 0
    }

    /// What there is now.
    package struct Population: Sendable, Hashable {
        /// Rooms with a member here.
        package var rooms = 0
        /// Members here.
        package var members = 0
        /// Those of them that read too slowly at the moment.
        package var lagging = 0
        /// Bytes of events held for members.
        package var heldBytes = 0
    }

    private let box = NIOLockedValueBox(Counts())
    private let present = NIOLockedValueBox(Population())

    package init() {}

    package var counts: Counts { box.withLockedValue { $0 } }

    func count(_ counter: any WritableKeyPath<Counts, UInt64> & Sendable, by amount: Int = 1) {
        box.withLockedValue { $0[keyPath: counter] &+= UInt64(max(0, amount)) }
    }

    package var population: Population { present.withLockedValue { $0 } }

    /// A member's connection is backed up, or has drained.
    func laggingChanged(by difference: Int) {
        present.withLockedValue { $0.lagging += difference }
    }

    func heldChanged(by difference: Int) {
        if difference != 0 { present.withLockedValue { $0.heldBytes += difference } }
    }

    /// A room's members here went from `old` to `new`.
    func membersChanged(from old: Int, to new: Int) {
        guard old != new else { return }
        present.withLockedValue { population in
            population.members += new - old
            population.rooms += (new > 0 ? 1 : 0) - (old > 0 ? 1 : 0)
        }
    }
}
