import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Redis
import Rooms

/// Rooms in a shared store, and in memory for as long as that is away.
///
/// - While the shared store answers, everything goes there and is durable.
/// - When it fails, a room goes on from its follower's copy: commits succeed at once with
///   `durable == false`, up to `RoomStoreLimits.localBytes`. Rooms can be made, too.
/// - When it is back, every room that is followed or held here is compared with what is stored, and
///   brought to it where needed (`Reconciliation`), before the next commit goes there. What one
///   side acknowledged is not lost: a store that came back empty or older gets the rooms again, and
///   rooms that both sides changed are merged.
/// - A room that neither side holds fails with `unavailable`.
///
/// A follower is asked for its copy on its own loop, from within a commit if that is called there.
/// Callable from any thread; answers come on the caller's loop if it is on one, and never from
/// within the call.
package final class FallbackRoomStore: RoomStore {
    typealias Resumption = FallbackRooms.Resumption

    let shared: any SharedRoomStore
    let group: any EventLoopGroup
    let eventLoop: any EventLoop
    let limits: RoomStoreLimits
    let roomLimits: RoomLimits
    let logger: Logger
    /// The wait before a reconciliation that was overtaken is tried again, by number of tries.
    let pauseAfter: @Sendable (_ attempt: Int) -> TimeAmount
    let rooms: NIOLockedValueBox<FallbackRooms>
    let reconciler: Reconciler
    private let observers = NIOLockedValueBox<Observers>(Observers())

    private typealias StateHandler = @Sendable (FallbackState) -> Void

    private struct Observers {
        var handlers: [StateHandler] = []
        var last: FallbackState?
    }

    /// - Parameter eventLoop: Coordinates reconciliations. Say with `sharedStore(is:)` when the
    ///   shared store can be used; until then requests wait, at most `RoomStoreLimits.startWait`.
    package init(
        shared: any SharedRoomStore, group: any EventLoopGroup, eventLoop: any EventLoop,
        limits: RoomStoreLimits = RoomStoreLimits(), roomLimits: RoomLimits = RoomLimits(),
        pauseAfter: @escaping @Sendable (Int) -> TimeAmount = FallbackRoomStore.randomPause,
        logger: Logger = Logger(label: "room-store")
    ) {
        self.shared = shared
        self.pauseAfter = pauseAfter
        self.group = group
        self.eventLoop = eventLoop
        self.limits = limits
        self.roomLimits = roomLimits
        self.logger = logger
        rooms = NIOLockedValueBox(FallbackRooms(limits: limits, now: .now()))
        reconciler = Reconciler(eventLoop: eventLoop, atOnce: limits.reconciledAtOnce)
        eventLoop.scheduleTask(in: TimeAmount(limits.startWait)) { [weak self] in
            self?.startWaitIsOver()
        }
    }

    @Sendable package static func randomPause(_ attempt: Int) -> TimeAmount {
        .milliseconds(.random(in: 0...Int64(min(attempt * 5, 100))))
    }

    /// Over Redis; goes by the client's state.
    package convenience init(
        redis: RedisRoomStore, group: any EventLoopGroup,
        limits: RoomStoreLimits = RoomStoreLimits(), roomLimits: RoomLimits = RoomLimits(),
        logger: Logger = Logger(label: "room-store")
    ) {
        self.init(
            shared: redis, group: group, eventLoop: redis.client.eventLoop, limits: limits,
            roomLimits: roomLimits, logger: logger)
        redis.client.onStateChange { [weak self] state in
            if let availability = StoreAvailability(state) {
                self?.sharedStore(is: availability)
            }
        }
        redis.client.observe { [weak self] event in
            switch event {
            case .reconnected, .subscriptionReady: self?.connectionIsNew()
            case .stateChanged, .subscriptionLost: break
            }
        }
    }

    // MARK: State

    package var state: FallbackState { rooms.withLockedValue { $0.state } }
    package var counts: FallbackCounts { rooms.withLockedValue { $0.counts } }
    /// Rooms that have yet to be compared with the shared store, or brought to it.
    package var pendingRooms: Int { rooms.withLockedValue { $0.pendingRooms } }

    /// Calls `handler` on the store's loop with the present state and each new kind of it.
    package func onStateChange(_ handler: @escaping @Sendable (FallbackState) -> Void) {
        eventLoop.execute {
            self.observers.withLockedValue { $0.handlers.append(handler) }
            handler(self.state)
        }
    }

    func stateMayHaveChanged() {
        // Under one lock from looking to passing on: threads that end up here at once tell the states
        // in their order.
        observers.withLockedValue { observers in
            let state = self.state
            guard observers.last?.kind != state.kind else { return }
            observers.last = state
            guard !observers.handlers.isEmpty else { return }
            eventLoop.execute { [handlers = observers.handlers] in
                for handler in handlers { handler(state) }
            }
        }
    }

    /// How the shared store can be used from now on.
    package func sharedStore(is availability: StoreAvailability) {
        let (released, hasReturned) = rooms.withLockedValue { rooms in
            let hasReturned = rooms.availability != .full && availability == .full
            return (rooms.became(availability, now: .now()), hasReturned)
        }
        for promise in released { promise.succeed(.again) }
        if hasReturned { connectionIsNew() }
        stateMayHaveChanged()
    }

    /// The shared store may not be what it was: nothing is taken for granted.
    package func connectionIsNew() {
        let doubted = rooms.withLockedValue { rooms in
            rooms.availability == .full ? rooms.doubtEverything() : []
        }
        for room in doubted { startReconciling(room) }
        stateMayHaveChanged()
    }

    private func startWaitIsOver() {
        if rooms.withLockedValue({ $0.availability == .undecided }) {
            sharedStore(is: .away("not connected yet"))
        }
    }

    // MARK: Following

    package func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        let tap = FollowerTap(follower, of: room, store: self)
        let mayWait = rooms.withLockedValue { rooms in
            rooms.follow(room, tap)
            return rooms.availability == .full
        }
        let confirmed = shared.follow(room, tap).flatMapError { error in
            // The subscription stays asked for; what it missed is looked up once it is there.
            self.logger.debug(
                "not following yet", metadata: ["room": "\(room)", "why": "\(error)"])
            return self.eventLoop.makeSucceededVoidFuture()
        }
        return mayWait ? confirmed : answer {}
    }

    package func unfollow(_ room: String) {
        rooms.withLockedValue { $0.unfollow(room) }
        shared.unfollow(room)
    }

    /// The copy is kept until it has been compared with what the shared store has.
    package func unfollow(_ room: String, leaving copy: RoomCheckpoint) {
        rooms.withLockedValue { rooms in
            rooms.keep(copy, of: room)
            rooms.unfollow(room)
        }
        shared.unfollow(room)
        reconcileSoon(room)
    }

    func noticePasses(_ notice: RoomNotice, for tap: FollowerTap) -> Bool {
        let (passes, isOther) = rooms.withLockedValue { rooms in
            guard rooms.passes(tap, of: tap.room) else { return (false, false) }
            let known = rooms.records[tap.room]?.epoch ?? 0
            if case .entries(let entries, let epoch) = notice, epoch == known {
                rooms.note(entries, of: tap.room, epoch: epoch)
            }
            return (true, known > 0 && (notice.epoch ?? 0) > known)
        }
        // A later room of this name: the follower's must have been deleted.
        if isOther { reconcileSoon(tap.room) }
        return passes
    }

    // MARK: Answers

    /// The loop on which answers come.
    var answerLoop: any EventLoop { MultiThreadedEventLoopGroup.currentEventLoop ?? eventLoop }

    /// What `work` gives, in a later tick.
    func answer<Value: Sendable>(_ work: () throws -> Value) -> EventLoopFuture<Value> {
        let result = Result { try work() }
        let loop = answerLoop
        let promise = loop.makePromise(of: Value.self)
        loop.execute { promise.completeWith(result) }
        return promise.futureResult
    }

    func fail<Value: Sendable>(_ error: RoomStoreError) -> EventLoopFuture<Value> {
        answer { throw error }
    }
}

extension FallbackState {
    fileprivate var kind: Int {
        switch self {
        case .durable: 0
        case .local: 1
        case .reconciling: 2
        }
    }
}

extension RoomNotice {
    fileprivate var epoch: Version? {
        switch self {
        case .entries(_, let epoch), .head(_, let epoch), .deleted(_, let epoch): epoch
        case .replaced: nil
        }
    }
}

extension StoreAvailability {
    /// Nil: as before.
    init?(_ state: RedisState) {
        switch state {
        case .connecting: return nil
        case .ready: self = .full
        case .down(let problem): self = .away(problem.code.rawValue)
        case .closed: self = .away("closed")
        case .degraded(let problem):
            self = problem.refusesWrites ? .readOnly(problem.code.rawValue) : .full
        }
    }
}

extension RedisProblem {
    /// The server answers but takes no writes; other problems of a degraded client are those of its
    /// subscription.
    fileprivate var refusesWrites: Bool {
        switch code {
        case .loading, .readOnly, .outOfMemory, .persistenceFailed, .notEnoughReplicas,
            .primaryDown, .busy, .noPermission:
            true
        default: false
        }
    }
}
