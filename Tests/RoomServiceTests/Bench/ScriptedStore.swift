import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms
import Testing

/// A room store of which the test holds back what it wants to, and answers it as it wants to. It
/// checks what a live room owes to every store: one commit of a room in flight, no entry id twice,
/// a deletion alone in its batch, one follower a room.
final class ScriptedStore: RoomStore, Sendable {
    enum Kind: Sendable, Hashable {
        case commit, delete, create, load, read, save, summaries, follow
    }

    /// A call that waits for the test.
    struct Held: Sendable {
        let kind: Kind
        let room: String
        let batch: CommitBatch?
        /// Lets the call happen in the store as it is now.
        let proceed: @Sendable () -> Void
        /// Does it, and loses the answer.
        let loseAnswer: @Sendable () -> Void
        /// The call fails without having happened.
        let fail: @Sendable (any Error) -> Void
    }

    /// What is stored; another instance's commits are made on a store that shares it.
    let base: MemoryRoomStore
    private let loop: any EventLoop
    private let state = NIOLockedValueBox(State())

    private struct State {
        var holding: Set<Kind> = []
        var failing: [Kind: RoomStoreError] = [:]
        var held: [Held] = []
        var calls: [Kind: Int] = [:]
        var batches: [CommitBatch] = []
        var underWay: Set<String> = []
        var entryIDs: Set<String> = []
        var followers: [String: Tap] = [:]
        var copies: [String: RoomCheckpoint] = [:]
        var answers: [CommitOutcome] = []
        var losesNotices = false
        var doublesSummaries = false
        var heldNotices: [@Sendable () -> Void]?
        var violations: [String] = []
        var unanswered: [@Sendable (any Error) -> Void] = []
    }

    /// Stands between the store and the follower, so that notices can be lost and reordered.
    final class Tap: RoomFollower, Sendable {
        let inner: any RoomFollower
        let store: ScriptedStore

        init(_ inner: any RoomFollower, _ store: ScriptedStore) {
            self.inner = inner
            self.store = store
        }

        var eventLoop: any EventLoop { inner.eventLoop }
        func received(_ notice: RoomNotice) { store.pass(notice, to: inner) }
        func currentCheckpoint() -> RoomCheckpoint? { inner.currentCheckpoint() }
    }

    init(loop: any EventLoop, besides other: ScriptedStore? = nil) {
        self.loop = loop
        base =
            other.map { MemoryRoomStore(sharing: $0.base) }
            ?? MemoryRoomStore(group: loop, isDurable: true)
    }

    // MARK: For tests

    /// Calls of these kinds wait from now on; those that wait already go on waiting.
    var holding: Set<Kind> {
        get { state.withLockedValue { $0.holding } }
        set { state.withLockedValue { $0.holding = newValue } }
    }

    /// Calls of these kinds fail.
    var failing: [Kind: RoomStoreError] {
        get { state.withLockedValue { $0.failing } }
        set { state.withLockedValue { $0.failing = newValue } }
    }

    /// Commits are answered with these, without happening, in turn.
    var answers: [CommitOutcome] {
        get { state.withLockedValue { $0.answers } }
        set { state.withLockedValue { $0.answers = newValue } }
    }

    var losesNotices: Bool {
        get { state.withLockedValue { $0.losesNotices } }
        set { state.withLockedValue { $0.losesNotices = newValue } }
    }

    /// Each room is listed twice, as a scan of keys may do.
    var doublesSummaries: Bool {
        get { state.withLockedValue { $0.doublesSummaries } }
        set { state.withLockedValue { $0.doublesSummaries = newValue } }
    }

    func holdNotices() { state.withLockedValue { $0.heldNotices = [] } }

    /// Delivers the notices held, in the order that `arrange` makes of them.
    func releaseNotices(_ arrange: ([@Sendable () -> Void]) -> [@Sendable () -> Void] = { $0 }) {
        let notices = state.withLockedValue { state in
            defer { state.heldNotices = nil }
            return state.heldNotices ?? []
        }
        for notice in arrange(notices) { loop.execute(notice) }
    }

    /// The calls that wait.
    var held: [Held] { state.withLockedValue { $0.held } }

    func takeHeld() -> Held? {
        state.withLockedValue { $0.held.isEmpty ? nil : $0.held.removeFirst() }
    }

    /// Lets everything that waits happen, and holds nothing more.
    func release() {
        holding = []
        while let next = takeHeld() { next.proceed() }
    }

    func calls(_ kind: Kind) -> Int { state.withLockedValue { $0.calls[kind, default: 0] } }
    var batches: [CommitBatch] { state.withLockedValue { $0.batches } }
    func follower(of room: String) -> (any RoomFollower)? {
        state.withLockedValue { $0.followers[room]?.inner }
    }
    var followedRooms: Set<String> { Set(state.withLockedValue { $0.followers.keys }) }
    /// What followers have left that were declared dead.
    var copies: [String: RoomCheckpoint] { state.withLockedValue { $0.copies } }
    var violations: [String] { state.withLockedValue { $0.violations } }

    /// Fails what still waits; to be called at the end.
    func close() {
        let unanswered = state.withLockedValue { state in
            state.held = []
            defer { state.unanswered = [] }
            return state.unanswered
        }
        for fail in unanswered { fail(RoomStoreError.unavailable("the test is over")) }
    }

    fileprivate func pass(_ notice: RoomNotice, to follower: any RoomFollower) {
        let isPassed = state.withLockedValue { state in
            if state.losesNotices { return false }
            guard state.heldNotices != nil else { return true }
            state.heldNotices?.append { follower.received(notice) }
            return false
        }
        if isPassed { follower.received(notice) }
    }

    // MARK: RoomStore

    func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        call(.create, request.room) { $0.create(request) }
    }

    func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        check(batch)
        if let answer = scriptedAnswer(batch) { return answer }
        return call(.commit, batch.room, batch) { $0.commit(batch) }
            .always { _ in self.settled(batch) }
    }

    func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        check(batch)
        if batch.entries.count != 1 { violate("a deletion of \(batch.entries.count) entries") }
        if let answer = scriptedAnswer(batch) { return answer }
        return call(.delete, batch.room, batch) { $0.delete(batch) }
            .always { _ in self.settled(batch) }
    }

    func load(_ room: String) -> EventLoopFuture<StoredRoom?> {
        call(.load, room) { $0.load(room) }
    }

    func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        call(.read, room) { $0.read(room, epoch: epoch, after: version) }
    }

    func save(
        _ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version
    ) -> EventLoopFuture<Void> {
        call(.save, room) { $0.save(checkpoint, of: room, trimBefore: trimBefore) }
    }

    func summaries() -> EventLoopFuture<[RoomSummary]> {
        let times = doublesSummaries ? 2 : 1
        return call(.summaries, "") { base in
            base.summaries().map { list in (0..<times).flatMap { _ in list } }
        }
    }

    func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        let tap = Tap(follower, self)
        state.withLockedValue { $0.followers[room] = tap }
        return call(.follow, room) { $0.follow(room, tap) }
    }

    func unfollow(_ room: String, leaving copy: RoomCheckpoint) {
        state.withLockedValue { $0.copies[room] = copy }
        unfollow(room)
    }

    func unfollow(_ room: String) {
        let wasFollowed = state.withLockedValue { $0.followers.removeValue(forKey: room) != nil }
        if !wasFollowed { violate("\(room) is not followed") }
        base.unfollow(room)
    }

    // MARK: Calls

    private func call<Value: Sendable>(
        _ kind: Kind, _ room: String, _ batch: CommitBatch? = nil,
        _ work: @escaping @Sendable (MemoryRoomStore) -> EventLoopFuture<Value>
    ) -> EventLoopFuture<Value> {
        let promise = loop.makePromise(of: Value.self)
        let base = base
        let failure: RoomStoreError? = state.withLockedValue { state in
            state.calls[kind, default: 0] += 1
            if let error = state.failing[kind] { return error }
            state.unanswered.append { promise.fail($0) }
            guard state.holding.contains(kind) else { return nil }
            state.held.append(
                Held(
                    kind: kind, room: room, batch: batch,
                    proceed: { work(base).cascade(to: promise) },
                    loseAnswer: {
                        work(base).whenComplete { _ in
                            promise.fail(RoomStoreError.unavailable("no answer"))
                        }
                    }, fail: { promise.fail($0) }))
            return nil
        }
        if let failure {
            promise.fail(failure)
        } else if !isHeld(kind) {
            work(base).cascade(to: promise)
        }
        return promise.futureResult
    }

    private func isHeld(_ kind: Kind) -> Bool {
        state.withLockedValue { $0.holding.contains(kind) }
    }

    private func scriptedAnswer(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome>? {
        let answer = state.withLockedValue { state -> CommitOutcome? in
            state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
        guard let answer else { return nil }
        settled(batch)
        return loop.makeSucceededFuture(answer)
    }

    private func check(_ batch: CommitBatch) {
        state.withLockedValue { state in
            state.batches.append(batch)
            guard !batch.isByJanitor else { return }
            if !state.underWay.insert(batch.room).inserted {
                state.violations.append("two commits of \(batch.room) in flight")
            }
            if batch.entries.isEmpty { state.violations.append("an empty commit") }
            let ids = batch.entries.map(\.id)
            if Set(ids).count != ids.count { state.violations.append("an entry id twice") }
        }
    }

    private func settled(_ batch: CommitBatch) {
        guard !batch.isByJanitor else { return }
        state.withLockedValue { _ = $0.underWay.remove(batch.room) }
    }

    private func violate(_ text: String) { state.withLockedValue { $0.violations.append(text) } }
}

extension CommitBatch {
    /// The removal of an empty room, which goes past the live room if there is one.
    fileprivate var isByJanitor: Bool {
        entries.map(\.change) == [.deleted(by: "")]
    }
}
