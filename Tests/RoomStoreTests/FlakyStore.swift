import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Rooms

@testable import RoomStore

/// A shared store behind a line that a test cuts.
final class FlakyStore: SharedRoomStore {
    enum Line: Sendable, Hashable {
        case up
        /// Nothing arrives.
        case cut
        /// Everything is done, and no answer comes back.
        case losesReplies
        /// Reads pass, writes are refused.
        case refuses(String)
    }

    /// Drops notices while the line is cut.
    private final class Ear: RoomFollower {
        let follower: any RoomFollower
        let store: FlakyStore

        init(_ follower: any RoomFollower, _ store: FlakyStore) {
            self.follower = follower
            self.store = store
        }

        var eventLoop: any EventLoop { follower.eventLoop }
        func received(_ notice: RoomNotice) {
            if store.line != .cut { follower.received(notice) }
        }
        func currentCheckpoint() -> RoomCheckpoint? { follower.currentCheckpoint() }
    }

    let inner: MemoryRoomStore
    private let state = NIOLockedValueBox(Line.up)

    init(_ inner: MemoryRoomStore) { self.inner = inner }

    var line: Line {
        get { state.withLockedValue { $0 } }
        set { state.withLockedValue { $0 = newValue } }
    }

    private func pass<Value: Sendable>(
        writes: Bool, _ work: () -> EventLoopFuture<Value>
    ) -> EventLoopFuture<Value> {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        switch line {
        case .up: return work()
        case .cut: return loop.makeFailedFuture(RoomStoreError.unavailable("cut"))
        case .losesReplies:
            return work().flatMapThrowing { _ in throw RoomStoreError.unavailable("no reply") }
        case .refuses(let code):
            guard writes else { return work() }
            return loop.makeFailedFuture(RoomStoreError.refusesWrites(code: code))
        }
    }

    func create(_ request: CreateRequest) -> EventLoopFuture<CreateOutcome> {
        pass(writes: true) { inner.create(request) }
    }
    func commit(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        pass(writes: true) { inner.commit(batch) }
    }
    func delete(_ batch: CommitBatch) -> EventLoopFuture<CommitOutcome> {
        pass(writes: true) { inner.delete(batch) }
    }
    func load(_ room: String) -> EventLoopFuture<StoredRoom?> {
        pass(writes: false) { inner.load(room) }
    }
    func read(
        _ room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<LogRead> {
        pass(writes: false) { inner.read(room, epoch: epoch, after: version) }
    }
    func save(
        _ checkpoint: RoomCheckpoint, of room: String, trimBefore: Version
    ) -> EventLoopFuture<Void> {
        pass(writes: true) { inner.save(checkpoint, of: room, trimBefore: trimBefore) }
    }
    func summaries() -> EventLoopFuture<[RoomSummary]> { pass(writes: false) { inner.summaries() } }
    func follow(_ room: String, _ follower: any RoomFollower) -> EventLoopFuture<Void> {
        inner.follow(room, Ear(follower, self))
    }
    func unfollow(_ room: String) { inner.unfollow(room) }
    func heads(of rooms: [String]) -> EventLoopFuture<[StoredHead]> {
        pass(writes: false) { inner.heads(of: rooms) }
    }
    func log(
        of room: String, epoch: Version, after version: Version
    ) -> EventLoopFuture<StoredLog?> {
        pass(writes: false) { inner.log(of: room, epoch: epoch, after: version) }
    }
    func isFenced(_ incarnation: String) -> EventLoopFuture<Bool> {
        pass(writes: false) { inner.isFenced(incarnation) }
    }
    func append(
        _ entries: [VersionedEntry], to room: String, at head: RoomPosition, summary: RoomSummary
    ) -> EventLoopFuture<ConditionalOutcome> {
        pass(writes: true) { inner.append(entries, to: room, at: head, summary: summary) }
    }
    func restore(
        _ image: RoomImage, replacing: RoomPosition?
    ) -> EventLoopFuture<ConditionalOutcome> {
        pass(writes: true) { inner.restore(image, replacing: replacing) }
    }
}

/// One instance: its line to the shared store and its fallback.
struct Instance: Sendable {
    let name: String
    let line: FlakyStore
    let store: FallbackRoomStore
    let clock = TestClock()

    init(
        _ name: String, over shared: MemoryRoomStore, limits: RoomStoreLimits = RoomStoreLimits(),
        startsAway: Bool = false
    ) {
        self.name = name
        let group = MultiThreadedEventLoopGroup.singleton
        line = FlakyStore(MemoryRoomStore(sharing: shared))
        store = FallbackRoomStore(
            shared: line, group: group, eventLoop: group.next(), limits: limits, logger: .silent)
        if startsAway { cut() } else { store.sharedStore(is: .full) }
    }

    func replica(_ room: String = "room") -> Replica {
        Replica(store, room: room, origin: name, clock: clock)
    }

    /// The line is cut, and the instance has noticed.
    func cut() {
        line.line = .cut
        store.sharedStore(is: .away("cut"))
    }

    func heal() {
        line.line = .up
        store.sharedStore(is: .full)
    }

    func isDurable() async throws {
        try await eventually("\(name) is durable again") { store.state == .durable }
    }
}

extension Logger {
    /// Failures are what these tests are about.
    static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
}

extension MemoryRoomStore {
    static func sharedByAll() -> MemoryRoomStore {
        MemoryRoomStore(group: MultiThreadedEventLoopGroup.singleton, isDurable: true)
    }

    /// Comes back with nothing.
    func loseEverything() { contents = MemoryRooms() }

    func stored(_ room: String = "room") async throws -> StoredRoom? {
        try await load(room).value()
    }

    /// Ids of the whole log, the checkpoint's part included as far as it is kept.
    func logIDs(_ room: String = "room") -> [String] {
        self.room(room)?.log.map(\.entry.id) ?? []
    }
}
