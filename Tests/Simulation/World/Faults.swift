/// What can go wrong in a simulation.
package enum Fault: String, CaseIterable, Sendable, Comparable {
    /// An instance ends at once, with all its state.
    case crash
    /// An instance stands still, and goes on later.
    case freeze
    /// The way between an instance and the store takes up to half a second.
    case delay
    /// Notices are lost.
    case drop
    /// Notices come twice.
    case duplicate
    /// Nothing passes between an instance and the store for a while.
    case partition
    /// The connection breaks as the answer to a commit comes.
    case lostreply
    /// The store ends and comes back with all its data.
    case restart
    /// The store comes back with the data of some seconds ago.
    case rollback
    /// The store comes back empty.
    case wipe
    /// The store accepts and does not answer for a while.
    case hang
    /// The wall clock jumps: an instance that starts after it reads another time.
    case clock
    /// The connection of a client breaks.
    case disconnect
    /// The connection of a client breaks, and its instance does not notice for a while.
    case silence

    package static func < (left: Fault, right: Fault) -> Bool { left.rawValue < right.rawValue }

    /// How often it is chosen among the others.
    var weight: Int {
        switch self {
        case .disconnect: 6
        case .crash, .freeze, .partition, .lostreply: 4
        case .delay, .drop, .duplicate, .restart, .silence: 2
        case .rollback, .wipe, .hang, .clock: 1
        }
    }
}

/// A bug planted at the seams of the simulation, which a checker has to find.
package enum Canary: String, CaseIterable, Sendable {
    /// A commit is answered and not carried out.
    case unstored
    /// Two entries change places on their way to one instance.
    case swapped
    /// A merge after a partition leaves out an edit.
    case forgotten
    /// The members of a dead instance are not taken off the list.
    case ghost
    /// A host's role is handed to nobody.
    case hostless
    /// An instance knows nothing of the others' clocks and starts with a clock that is behind.
    case backwards
}
