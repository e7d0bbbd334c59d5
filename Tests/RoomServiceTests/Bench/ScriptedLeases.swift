import NIOConcurrencyHelpers
import NIOCore
import RoomStore

/// Leases as the test writes them.
final class ScriptedLeases: LeaseStore, Sendable {
    struct Away: Error {}

    private struct State {
        /// Others' leases.
        var others: [String: Lease] = [:]
        var isAway = false
        var isFenced = false
        /// What another instance has fenced.
        var fencedByOthers: Set<String> = []
        var isHeld = false
        var renewals: [Lease] = []
        var fences: [(incarnation: String, beat: UInt64?)] = []
        var released: [String] = []
        /// The order of what went out.
        var log: [String] = []
        var waiting: [EventLoopPromise<LeaseReply>] = []
    }

    private let loop: any EventLoop
    private let state = NIOLockedValueBox(State())

    init(loop: any EventLoop) {
        self.loop = loop
    }

    func set(_ lease: Lease) { state.withLockedValue { $0.others[lease.incarnation] = lease } }
    func remove(_ incarnation: String) { state.withLockedValue { $0.others[incarnation] = nil } }

    /// Another instance declares it dead.
    func fenceByAnother(_ incarnation: String) {
        state.withLockedValue { state in
            state.others[incarnation] = nil
            state.fencedByOthers.insert(incarnation)
        }
    }

    var isAway: Bool {
        get { state.withLockedValue { $0.isAway } }
        set { state.withLockedValue { $0.isAway = newValue } }
    }

    /// The next renewal is answered `fenced`.
    func fenceOwn() { state.withLockedValue { $0.isFenced = true } }

    var renewals: [Lease] { state.withLockedValue { $0.renewals } }
    var fenced: [String] { state.withLockedValue { $0.fences.map(\.incarnation) } }
    var released: [String] { state.withLockedValue { $0.released } }
    var log: [String] { state.withLockedValue { $0.log } }

    func renew(_ lease: Lease) -> EventLoopFuture<LeaseReply> {
        state.withLockedValue { state in
            state.log.append("renew")
            guard !state.isAway else { return loop.makeFailedFuture(Away()) }
            state.renewals.append(lease)
            if state.isFenced {
                state.isFenced = false
                return loop.makeSucceededFuture(.fenced)
            }
            return loop.makeSucceededFuture(.renewed([lease] + state.others.values))
        }
    }

    func fence(_ incarnation: String, beat: UInt64?) -> EventLoopFuture<Bool> {
        state.withLockedValue { state in
            guard !state.isAway else { return loop.makeFailedFuture(Away()) }
            state.fences.append((incarnation, beat))
            if let beat, let lease = state.others[incarnation], lease.beat != beat {
                return loop.makeSucceededFuture(false)
            }
            state.others[incarnation] = nil
            return loop.makeSucceededFuture(true)
        }
    }

    func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        state.withLockedValue { state in
            guard !state.isAway else { return loop.makeFailedFuture(Away()) }
            let isFenced =
                state.fencedByOthers.contains(incarnation)
                || state.fences.contains { $0.incarnation == incarnation }
            return loop.makeSucceededFuture(isFenced)
        }
    }

    func release(_ incarnation: String) -> EventLoopFuture<Void> {
        state.withLockedValue { state in
            state.log.append("release")
            state.released.append(incarnation)
        }
        return loop.makeSucceededVoidFuture()
    }
}
