/// The times of `Membership`.
package struct MembershipOptions: Sendable, Hashable {
    /// How often an instance renews its lease.
    package var heartbeat: Duration = .seconds(1)
    /// An instance whose beat has not moved for so long is dead.
    package var lease: Duration = .seconds(5)
    /// A beat that has not moved for so long is asked after directly; and without an answer from the
    /// store for so long, we are no longer linked to the store.
    package var suspicion: Duration = .seconds(2)
    /// Time without the store after which a peer that is still linked to it proves that we, and
    /// not the store, are cut off. Longer than `suspicion` by more than half a heartbeat, so that
    /// a peer that lost the store with us has noticed; shorter than `lease`.
    package var isolation: Duration = .milliseconds(3_500)
    /// Least time between two probes of one peer.
    package var probeInterval: Duration = .milliseconds(500)
    /// An answer to a probe counts for so long.
    package var probeValidity: Duration = .seconds(3)

    package init() {}
}
