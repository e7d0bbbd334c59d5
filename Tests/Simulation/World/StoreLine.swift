import NIOCore
import RoomStore
import Rooms

/// One instance's connection to the store: what the Redis client is in a running instance.
///
/// Requests arrive and are answered in order, each after its time. While the line is cut nothing
/// passes; what was under way goes on when it heals, or fails when the deadline is over and the
/// connection is given up. Whether a request that fails was carried out, nobody knows.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class StoreLine: @unchecked Sendable {
    let redis: SimulatedRedis
    let loop: SimulatedLoop
    let view: MemoryRoomStore
    let dice: Dice
    let traps: Traps
    /// Tells the instance what the store can be used for.
    var onChange: (StoreAvailability) -> Void = { _ in }
    /// Hears of merges before they are carried out.
    var onMerge: (CommitBatch) -> Void = { _ in }

    /// And of where they were put.
    var onMerged: (CommitBatch, _ previous: Version, _ first: Version) -> Void = { _, _, _ in }

    /// And of entries that the store has put behind others than its instance knew of.
    var onOvertaken: (CommitBatch, _ first: Version) -> Void = { _, _ in }

    private(set) var isCut = false
    private(set) var isConnected = false
    /// Longest time of one way.
    var slowness: Duration = .milliseconds(3)
    /// Until when it was longer.
    var slowUntil: Int64 = -60_000_000_000
    /// Of a hundred notices so many are lost, or come twice.
    var lost = 0
    var doubled = 0
    /// The answer to the next commit does not come: the connection breaks.
    var losesNextReply = false

    private var connection = 0
    private var counter: UInt64 = 0
    private var pending: [UInt64: @Sendable () -> Void] = [:]
    private var delayed: [() -> Void] = []
    private var arrival: Int64 = 0
    private var reply: Int64 = 0
    private var wanted: [String: Tap] = [:]
    private var isReconnecting = false

    init(_ redis: SimulatedRedis, loop: SimulatedLoop, dice: Dice, traps: Traps) {
        self.redis = redis
        self.loop = loop
        self.dice = dice
        self.traps = traps
        view = MemoryRoomStore(sharing: redis.base)
    }

    private var scheduler: Scheduler { loop.scheduler }
    private var way: Duration {
        .microseconds(dice.int(50...Int(slowness.wholeNanoseconds / 1000)))
    }

    // MARK: Faults

    func isFast() {
        guard slowness > .milliseconds(3) else { return }
        slowness = .milliseconds(3)
        slowUntil = scheduler.now
    }

    func cut() {
        guard !isCut else { return }
        isCut = true
        let connection = connection
        loop.after(dice.milliseconds(1_000...2_500)) {
            if self.isCut, self.connection == connection { self.disconnect("deadline") }
        }
    }

    func heal() {
        guard isCut else { return }
        isCut = false
        let delayed = delayed
        self.delayed = []
        for pass in delayed { pass() }
        if !isConnected { reconnectSoon() }
    }

    /// The store does not answer any more, without a word.
    func storeHangs() {
        let connection = connection
        loop.after(dice.milliseconds(1_000...2_500)) {
            if self.redis.loop.isFrozen, self.connection == connection {
                self.disconnect("deadline")
            }
        }
    }

    /// The connection is broken, and the instance knows.
    func disconnect(_ reason: String) {
        let wasConnected = isConnected
        isConnected = false
        connection += 1
        delayed = []
        let failed = pending.sorted { $0.key < $1.key }.map(\.value)
        pending = [:]
        let fail = { for fail in failed { self.loop.execute { fail() } } }
        let tell = { if wasConnected { self.loop.execute { self.onChange(.away(reason)) } } }
        if dice.chance(50) {
            tell()
            fail()
        } else {
            fail()
            tell()
        }
        reconnectSoon()
    }

    func reconnectSoon() {
        guard !isReconnecting, !loop.hasEnded else { return }
        isReconnecting = true
        loop.after(dice.milliseconds(10...600)) {
            self.isReconnecting = false
            guard !self.isConnected else { return }
            guard !self.isCut, !self.redis.isDown, !self.redis.loop.isFrozen else {
                return self.reconnectSoon()
            }
            self.isConnected = true
            self.onChange(.full)
        }
    }

    // MARK: Requests

    /// `work` is done by the store's server.
    func call<Value: Sendable>(
        isCommit: Bool = false,
        _ work: @escaping @Sendable () -> EventLoopFuture<Value>
    ) -> EventLoopFuture<Value> {
        let promise = loop.makePromise(of: Value.self)
        guard isConnected else {
            loop.execute { promise.fail(RoomStoreError.unavailable("not connected")) }
            return promise.futureResult
        }
        counter += 1
        let id = counter
        let connection = connection
        pending[id] = { promise.fail(RoomStoreError.unavailable("no answer")) }
        send(connection) {
            work().whenComplete { result in
                self.answer(connection) {
                    if isCommit, self.losesNextReply {
                        self.losesNextReply = false
                        return self.disconnect("connection reset")
                    }
                    guard self.pending.removeValue(forKey: id) != nil else { return }
                    promise.completeWith(result)
                }
            }
        }
        return promise.futureResult
    }

    private func send(_ connection: Int, _ work: @escaping () -> Void) {
        pass(connection) {
            self.arrival = max(self.arrival + 1, self.scheduler.now + self.way.wholeNanoseconds)
            self.scheduler.schedule(on: self.redis.loop, at: self.arrival) {
                guard self.connection == connection, !self.redis.isDown else { return }
                // Cut meanwhile: it had passed already, or comes when the line has healed.
                if self.isCut, self.dice.chance(50) { return self.pass(connection, work) }
                work()
            }
        }
    }

    private func answer(_ connection: Int, _ work: @escaping () -> Void) {
        guard self.connection == connection else { return }
        pass(connection) {
            self.reply = max(self.reply + 1, self.scheduler.now + self.way.wholeNanoseconds)
            self.scheduler.schedule(on: self.loop, at: self.reply) {
                if self.connection == connection { work() }
            }
        }
    }

    private func pass(_ connection: Int, _ work: @escaping () -> Void) {
        guard isCut else { return work() }
        delayed.append { if self.connection == connection { work() } }
    }

    // MARK: Notices

    /// Stands at the server's side of the subscription.
    final class Tap: RoomFollower, @unchecked Sendable {
        let follower: any RoomFollower
        unowned let line: StoreLine

        init(_ follower: any RoomFollower, _ line: StoreLine) {
            self.follower = follower
            self.line = line
        }

        var eventLoop: any EventLoop { line.redis.loop }
        func received(_ notice: RoomNotice) { line.publish(notice, to: self) }
        func currentCheckpoint() -> RoomCheckpoint? { nil }
    }

    func subscribe(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        let tap = Tap(follower, self)
        wanted[room] = tap
        guard isConnected else {
            // Asked for again with the next connection; what it misses is looked up then.
            _ = view.follow(room, tap)
            return call { [redis] in redis.loop.makeSucceededVoidFuture() }
        }
        return call { [redis, view] in
            guard self.wanted[room] === tap else { return redis.loop.makeSucceededVoidFuture() }
            return view.follow(room, tap)
        }
    }

    func unsubscribe(_ room: String) {
        wanted[room] = nil
        view.unfollow(room)
    }

    private func publish(_ notice: RoomNotice, to tap: Tap) {
        guard isConnected, !isCut, !dice.chance(lost), !redis.isDown else { return }
        let notice = traps.notice(notice)
        for _ in 0...(dice.chance(doubled) ? 1 : 0) {
            // Some are late, so that they come out of order.
            let extra = dice.chance(lost + doubled) ? dice.milliseconds(1...200) : .zero
            let connection = connection
            loop.after(way + extra) {
                guard self.connection == connection, !self.loop.hasEnded else { return }
                tap.follower.received(notice)
            }
        }
    }
}

// MARK: - The store as an instance sees it

extension StoreLine: SharedRoomStore {
    func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        call(isCommit: true) { [view] in view.create(request) }
    }

    func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        call(isCommit: true) { [view, redis, traps] in
            let batch = traps.batch(batch)
            if batch.origin.isEmpty { self.onMerge(batch) }
            if let answer = traps.answer(batch) {
                return redis.loop.makeSucceededFuture(answer)
            }
            return view.commit(batch).map { outcome in
                if case .committed(let previous, let first, _) = outcome {
                    if batch.origin.isEmpty {
                        self.onMerged(batch, previous, first)
                    } else if previous != batch.expected {
                        self.onOvertaken(batch, first)
                    }
                }
                return outcome
            }
        }
    }

    func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        call(isCommit: true) { [view] in view.delete(batch) }
    }

    func load(_ room: String) -> EventLoopFuture<StoredRoom?> {
        call { [view] in view.load(room) }
    }

    func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        call { [view] in view.read(room, epoch: epoch, after: version) }
    }

    func save(
        _ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version
    ) -> EventLoopFuture<Void> {
        call { [view] in view.save(checkpoint, of: room, trimBefore: trimBefore) }
    }

    func summaries() -> EventLoopFuture<[RoomSummary]> {
        call { [view] in view.summaries().map { $0.sorted { $0.id < $1.id } } }
    }

    func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        subscribe(room, follower)
    }

    func unfollow(_ room: String) { unsubscribe(room) }

    func heads(of rooms: [String]) -> EventLoopFuture<[StoredHead]> {
        call { [view] in view.heads(of: rooms) }
    }

    func log(
        of room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<StoredLog?> {
        call { [view] in view.log(of: room, epoch: epoch, after: version) }
    }

    func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        call { [view] in view.isFenced(incarnation) }
    }

    func append(
        _ entries: [VersionedEntry], to room: String, at head: RoomPosition, summary: RoomSummary
    ) -> EventLoopFuture<ConditionalOutcome> {
        call(isCommit: true) { [view] in
            view.append(entries, to: room, at: head, summary: summary)
        }
    }

    func restore(
        _ image: RoomImage, replacing: RoomPosition?
    ) -> EventLoopFuture<ConditionalOutcome> {
        call(isCommit: true) { [view] in view.restore(image, replacing: replacing) }
    }
}

extension StoreLine: LeaseStore {
    func renew(_ lease: Lease) -> EventLoopFuture<LeaseReply> {
        call { [redis, traps] in
            redis.loop.makeSucceededFuture(traps.reply(redis.renew(lease)))
        }
    }

    func fence(_ incarnation: String, beat: UInt64?) -> EventLoopFuture<Bool> {
        call { [redis] in
            redis.loop.makeSucceededFuture(redis.fence(incarnation, beat: beat))
        }
    }

    func release(_ incarnation: String) -> EventLoopFuture<Void> {
        call { [redis] in
            redis.release(incarnation)
            return redis.loop.makeSucceededVoidFuture()
        }
    }
}
