import NIOCore
import Rooms

/// What a `FallbackRoomStore` knows, as a value: which rooms it follows, which it holds alone, and
/// where operations on them go. Under the store's lock.
///
///     shared ──(commit failed)──▶ local ──────────────┐
///        │                          ▲                 │(shared store is back)
///        │(connection is new)       │(failed again)   ▼
///        ▼                          └────────── reconciling ──(done)──▶ shared
///     unverified ─────────────────────────────────────▲
///
/// Invariants: `memory` holds exactly the rooms with `local`; a room in `reconciling` changes
/// through its reconciliation only.
struct FallbackRooms: Sendable {
    enum Mode: Sendable, Hashable {
        /// The shared store has the room.
        case shared
        /// As `shared`, but the connection is new: who knows what is behind it.
        case unverified
        /// Entries are in memory that the shared store does not have.
        case local
        case reconciling
    }

    /// A room committed to in memory.
    struct Local: Sendable {
        /// The shared store had acknowledged everything up to here; 0 for a room made here.
        var base: Version
        var bytes = 0
        var origins: Set<String> = []
        /// It is the copy of a follower that was declared dead.
        var isFenced = false
    }

    struct Record: Sendable {
        var mode = Mode.shared
        var tap: FollowerTap?
        var tail = RoomTail()
        var epoch: Version = 0
        /// The highest version of this epoch that passed through here: never to be fallen below.
        var highest: Version = 0
        /// Up to here what is remembered is of a line that was merged into another.
        var abandoned: Version?
        /// As last committed through here.
        var summary: RoomSummary?
        var local: Local?
        var deletion: Reconciliation.Deletion?
        var waiting: [EventLoopPromise<Resumption>] = []
        var failures = 0
        /// When it was last committed to or heard of, counted in uses of all rooms.
        var usedAt: UInt64 = 0
        /// The connection became another one during the reconciliation.
        var isDoubted = false
        /// During the reconciliation a copy was left here, which that knows nothing of.
        var hasNewCopy = false
        /// A notice was kept from the follower.
        var hasMissedNotices = false

        var isNeeded: Bool {
            tap != nil || local != nil || deletion != nil || mode != .shared
        }
        var isPending: Bool { mode != .shared || local != nil || deletion != nil }
    }

    /// How an operation goes on that waited for a reconciliation.
    enum Resumption: Sendable, Hashable {
        case again
        /// The room is not what the operation was decided on.
        case replaced(head: Version)
        case gone
    }

    enum Route: Sendable {
        case shared(generation: Int)
        case local
        /// Neither: the shared store is away and this instance has no copy.
        case nowhere(String)
        case wait(EventLoopFuture<Resumption>)
        case overloaded
    }

    private(set) var availability = StoreAvailability.undecided
    private(set) var changedAt: NIODeadline
    /// Counts connections: what was answered over an earlier one may be lost.
    private(set) var generation = 0
    var records: [String: Record] = [:]
    var memory: MemoryRooms
    var tailBytes = 0
    private var uses: UInt64 = 0
    /// Operations that came before it was known whether there is a shared store.
    private var undecided: [EventLoopPromise<Resumption>] = []
    /// Rooms to be reconciled, or being so, while the shared store is there.
    var pending: Set<String> = []
    /// The list as the shared store last gave it.
    var listed: [String: RoomSummary] = [:]
    var counts = FallbackCounts()
    let limits: RoomStoreLimits

    init(limits: RoomStoreLimits, now: NIODeadline) {
        self.limits = limits
        changedAt = now
        memory = MemoryRooms(limits: limits)
    }

    var pendingRooms: Int { pending.count }

    mutating func nextUse() -> UInt64 {
        uses += 1
        return uses
    }

    var state: FallbackState {
        switch availability {
        case .full: return pending.isEmpty ? .durable : .reconciling(pending: pending.count)
        case .undecided: return .local(since: changedAt, reason: "not connected yet")
        case .readOnly(let reason), .away(let reason):
            return .local(since: changedAt, reason: reason)
        }
    }

    // MARK: Availability

    /// Gives the operations that need not wait any longer.
    mutating func became(
        _ new: StoreAvailability, now: NIODeadline
    ) -> [EventLoopPromise<Resumption>] {
        guard new != availability, new != .undecided else { return [] }
        if availability == .full || new == .full { changedAt = now }
        availability = new
        generation += 1
        var released = undecided
        undecided = []
        guard new != .full else { return released }
        pending = []
        for (room, record) in records where record.mode == .unverified {
            records[room]?.mode = record.local == nil ? .shared : .local
            released += record.waiting
            records[room]?.waiting = []
        }
        return released
    }

    /// The connection is new: nothing is taken for granted. Gives the rooms to be compared, those
    /// for which somebody waits first.
    mutating func doubtEverything() -> [String] {
        generation += 1
        for (room, record) in records {
            if record.mode == .shared, record.tap != nil { records[room]?.mode = .unverified }
            if record.mode == .reconciling { records[room]?.isDoubted = true }
        }
        let doubted = records.filter { $0.value.isPending }
        pending.formUnion(doubted.keys)
        return doubted.filter { $0.value.mode != .reconciling }
            .sorted { $0.value.waiting.count > $1.value.waiting.count }
            .map(\.key)
    }

    /// Notes that a room must be reconciled; true if it can be now.
    mutating func mustReconcile(_ room: String) -> Bool {
        guard availability == .full, records[room]?.isNeeded == true else { return false }
        pending.insert(room)
        return true
    }

    mutating func isReconciled(_ room: String) { pending.remove(room) }

    /// Whether the room came to need it again while it was reconciled. One that failed is tried
    /// again later.
    func isDueAgain(_ room: String) -> Bool {
        guard availability == .full, let record = records[room] else { return false }
        return record.failures == 0 && (record.mode == .unverified || record.mode == .local)
    }

    /// Whether somebody asked for the room to be reconciled when that was all but over.
    func isAskedForAgain(_ room: String) -> Bool {
        availability == .full && pending.contains(room)
            && (records[room]?.mode ?? .shared) == .shared
    }

    // MARK: Where to

    mutating func route(
        _ room: String, writes: Bool, on loop: any EventLoop
    ) -> Route {
        let record = records[room]
        switch record?.mode ?? .shared {
        case .local: return .local
        case .unverified where record?.failures != 0: return .local
        case .reconciling, .unverified: return wait(for: room, on: loop)
        case .shared: break
        }
        switch availability {
        case .undecided: return wait(for: room, on: loop)
        case .full: return .shared(generation: generation)
        case .readOnly(let reason):
            // What is stored may lie behind what the follower has.
            if record?.tap != nil { return .local }
            return writes ? .nowhere(reason) : .shared(generation: generation)
        case .away(let reason): return record?.tap == nil ? .nowhere(reason) : .local
        }
    }

    private mutating func wait(for room: String, on loop: any EventLoop) -> Route {
        let isUndecided = availability == .undecided
        let count = isUndecided ? undecided.count : records[room]?.waiting.count ?? 0
        guard count < (isUndecided ? limits.waitingAtStart : limits.waitingCommits) else {
            return .overloaded
        }
        let promise = loop.makePromise(of: Resumption.self)
        if isUndecided {
            undecided.append(promise)
        } else {
            records[room, default: Record()].waiting.append(promise)
        }
        return .wait(promise.futureResult)
    }
}
