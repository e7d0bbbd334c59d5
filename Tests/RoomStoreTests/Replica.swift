import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RoomStore
import Rooms

/// One instance's live copy of a room, as an instance keeps it: follows, folds in order, fills gaps
/// from the log, has one commit in flight, and decides anew after a conflict.
///
/// `@unchecked Sendable`: mutable state is touched on `eventLoop` only.
final class Replica: RoomFollower, @unchecked Sendable {
    struct Ended: Error {}

    struct Pending {
        let id: String
        let change: RoomEntry.Change
        let promise: EventLoopPromise<CommitOutcome>
    }

    let room: String
    let origin: String
    let store: any RoomStore
    let eventLoop: any EventLoop
    private let clock: TestClock
    private var state: RoomState?
    private var sequencer = EntrySequencer(applied: 0)
    private var delivered: [String] = []
    private var waiting: [RoomNotice] = []
    private var queue: [Pending] = []
    private var isCommitting = false
    private var isReading = false
    private var isReloading = false
    private var snapshots = 0
    private var hasEnded = false
    private var counter = 0
    private var highest: Version = 0
    private var hasGoneBack = false

    init(
        _ store: any RoomStore, room: String = "room", origin: String = "one",
        clock: TestClock = TestClock()
    ) {
        self.store = store
        self.room = room
        self.origin = origin
        self.clock = clock
        eventLoop = MultiThreadedEventLoopGroup.singleton.next()
    }

    // MARK: What tests see

    struct View: Sendable {
        var state: RoomState?
        var delivered: [String]
        var snapshots: Int
        var hasEnded: Bool
        var hasGoneBack: Bool
    }

    func view() async throws -> View {
        try await eventLoop.submit {
            View(
                state: self.state, delivered: self.delivered, snapshots: self.snapshots,
                hasEnded: self.hasEnded, hasGoneBack: self.hasGoneBack)
        }.value()
    }

    var version: Version {
        get async throws { try await view().state?.version ?? 0 }
    }

    @discardableResult
    func create(
        creator: Member? = nil, editor: SceneUpload? = nil
    ) async throws -> CreateOutcome {
        let id = try await eventLoop.submit { self.nextID() }.value()
        let change = RoomEntry.Change.created(
            creator: creator ?? Fixture.member("anna", of: origin), passwordHash: nil,
            editor: editor)
        let entries = [RoomEntry(id: id, change: change)]
        try await store.follow(room, self).value()
        let request = CreateRequest(
            room: room, origin: origin, entries: entries, proposed: clock.next(),
            summary: Fixture.summary(room))
        let outcome = try await store.create(request).value()
        guard case .created(let epoch, _) = outcome else { return outcome }
        try await eventLoop.submit {
            var fresh = RoomState(id: self.room, epoch: epoch)
            fresh.fold(VersionedEntry(version: epoch, previous: 0, entry: entries[0]))
            self.delivered.append(id)
            self.install(fresh)
        }.value()
        return outcome
    }

    func open() async throws {
        try await store.follow(room, self).value()
        guard let stored = try await store.load(room).value() else { throw Ended() }
        try await eventLoop.submit { self.install(try stored.state(self.room)) }.value()
    }

    /// The outcome once the entry has been folded here.
    @discardableResult
    func commit(_ change: RoomEntry.Change, id: String? = nil) async throws -> CommitOutcome {
        try await eventLoop.flatSubmit {
            let promise = self.eventLoop.makePromise(of: CommitOutcome.self)
            self.queue.append(
                Pending(id: id ?? self.nextID(), change: change, promise: promise))
            self.pump()
            return promise.futureResult
        }.value()
    }

    @discardableResult
    func edit(_ uuid: String, _ value: String) async throws -> CommitOutcome {
        try await commit(Fixture.update(uuid, value))
    }

    private func nextID() -> String {
        counter += 1
        return "\(origin)-\(counter)"
    }

    private func install(_ fresh: RoomState) {
        if fresh.version < highest { hasGoneBack = true }
        highest = max(highest, fresh.version)
        state = fresh
        sequencer.restart(at: fresh.version)
        clock.observe(fresh.version)
        let notices = waiting
        waiting = []
        notices.forEach(received)
    }

    // MARK: Committing

    private func pump() {
        guard !isCommitting, !isReloading, !queue.isEmpty, let state, !hasEnded else { return }
        let flight = queue.removeFirst()
        isCommitting = true
        var draft = state.control
        let entry = RoomEntry(id: flight.id, change: flight.change)
        draft.fold(VersionedEntry(version: state.version + 1, previous: 0, entry: entry))
        let batch = CommitBatch(
            room: room, epoch: state.control.epoch, origin: origin, entries: [entry],
            proposed: clock.next(), expected: state.version, conditional: flight.change.isDecided,
            summary: RoomSummary(draft))
        store.commit(batch).hop(to: eventLoop).whenComplete { self.ended($0, flight) }
    }

    private func ended(_ result: Result<CommitOutcome, any Error>, _ flight: Pending) {
        isCommitting = false
        switch result {
        case .success(.committed(let previous, let first, _)):
            let entry = RoomEntry(id: flight.id, change: flight.change)
            receive([VersionedEntry(version: first, previous: previous, entry: entry)])
        case .success(.conflict(let head)):
            queue.insert(flight, at: 0)
            sequencer.heard(of: head)
            fillGap()
            return pump()
        default: break
        }
        flight.promise.completeWith(result)
        pump()
    }

    // MARK: Following

    func received(_ notice: RoomNotice) {
        guard let epoch = state?.control.epoch else { return waiting.append(notice) }
        switch notice {
        case .entries(let entries, epoch): receive(entries)
        case .head(let version, epoch):
            sequencer.heard(of: version)
            fillGap()
        case .deleted(_, epoch): end()
        case .replaced: reload()
        case .entries, .head, .deleted: break
        }
    }

    func currentCheckpoint() -> RoomCheckpoint? {
        guard let state, !hasEnded else { return nil }
        return RoomCheckpoint(
            epoch: state.control.epoch, version: state.version, bytes: state.checkpoint(),
            summary: RoomSummary(state.control))
    }

    func currentPosition() -> RoomPosition? {
        guard let state, !hasEnded else { return nil }
        return RoomPosition(epoch: state.control.epoch, version: state.version)
    }

    private func receive(_ entries: [VersionedEntry]) {
        for entry in sequencer.receive(entries) {
            state?.fold(entry)
            delivered.append(entry.entry.id)
            if entry.version <= highest { hasGoneBack = true }
            highest = max(highest, entry.version)
            clock.observe(entry.version)
        }
        fillGap()
    }

    private func fillGap() {
        guard sequencer.hasGap, !isReading, !isReloading, !hasEnded, let state else { return }
        isReading = true
        store.read(room, epoch: state.control.epoch, after: sequencer.applied)
            .hop(to: eventLoop).whenComplete { result in
                self.isReading = false
                switch result {
                case .success(.entries(let entries)):
                    if entries.isEmpty { return self.later { self.fillGap() } }
                    self.receive(entries)
                case .success(.trimmed): self.reload()
                case .success(.noRoom): self.end()
                case .failure: self.later { self.fillGap() }
                }
                self.pump()
            }
    }

    private func reload() {
        guard !isReloading, !hasEnded else { return }
        isReloading = true
        store.load(room).hop(to: eventLoop).whenComplete { result in
            self.isReloading = false
            switch result {
            case .success(let stored?):
                guard let fresh = try? stored.state(self.room),
                    fresh.control.epoch == self.state?.control.epoch
                else { return self.end() }
                self.snapshots += 1
                self.install(fresh)
                self.pump()
            case .success(nil): self.end()
            case .failure: self.later { self.reload() }
            }
        }
    }

    private func later(_ work: @escaping @Sendable () -> Void) {
        eventLoop.scheduleTask(in: .milliseconds(20), work)
    }

    private func end() {
        hasEnded = true
        store.unfollow(room)
        let left = queue
        queue = []
        for pending in left { pending.promise.fail(Ended()) }
    }
}

extension RoomEntry.Change {
    /// Whether it was decided on the state, so that it holds for that state only.
    fileprivate var isDecided: Bool {
        switch self {
        case .joined, .left, .hostHandedOver: true
        default: false
        }
    }
}
