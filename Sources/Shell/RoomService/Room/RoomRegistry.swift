import Logging
import NIOCore
import RoomStore
import Rooms
import SocketIOServer

/// The rooms that this instance serves at the moment, spread over the event loops by their id.
final class RoomRegistry: Sendable {
    let shards: [RoomShard]

    init(loops: [any EventLoop], environment: RoomEnvironment) {
        shards = loops.map { RoomShard(eventLoop: $0, environment: environment) }
    }

    /// The shard that serves a room.
    func shard(for room: String) -> RoomShard {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in room.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return shards[Int(hash % UInt64(shards.count))]
    }

    /// The live room, opened from the store if need be; nil if there is no such room. Completes on
    /// the room's loop.
    func room(_ id: String) -> EventLoopFuture<LiveRoom?> {
        let shard = shard(for: id)
        return shard.eventLoop.flatSubmit { shard.open(id) }
    }

    /// Runs `body` on each shard's loop with its live rooms.
    func forEachShard(_ body: @escaping @Sendable (RoomShard) -> Void) {
        for shard in shards { shard.eventLoop.execute { body(shard) } }
    }
}

/// The live rooms of one event loop. Confined to it.
///
/// `@unchecked Sendable`: `slots` is touched on `eventLoop` only, asserted at each entry.
final class RoomShard: @unchecked Sendable {
    private enum Slot {
        case opening(EventLoopFuture<LiveRoom?>)
        /// Nil if there is such a room already.
        case creating(EventLoopFuture<LiveRoom?>)
        case live(LiveRoom)
    }

    let eventLoop: any EventLoop
    private let environment: RoomEnvironment
    private var slots: [String: Slot] = [:]

    init(eventLoop: any EventLoop, environment: RoomEnvironment) {
        self.eventLoop = eventLoop
        self.environment = environment
    }

    var liveRooms: [LiveRoom] {
        eventLoop.assertInEventLoop()
        return slots.values.compactMap { slot in
            if case .live(let room) = slot, !room.isGone { room } else { nil }
        }
    }

    func liveRoom(_ id: String) -> LiveRoom? {
        eventLoop.assertInEventLoop()
        guard case .live(let room) = slots[id], !room.isGone else { return nil }
        return room
    }

    /// Whether the room is live here, or about to be.
    func isServing(_ id: String) -> Bool {
        eventLoop.assertInEventLoop()
        if case .live(let room) = slots[id] { return !room.isGone }
        return slots[id] != nil
    }

    func open(_ id: String) -> EventLoopFuture<LiveRoom?> {
        eventLoop.assertInEventLoop()
        switch slots[id] {
        case .live(let room) where !room.isGone: return eventLoop.makeSucceededFuture(room)
        case .opening(let future): return future
        case .creating(let future):
            return future.flatMap { room in
                room == nil ? self.open(id) : self.eventLoop.makeSucceededFuture(room)
            }
        case .live, nil: break
        }
        let proxy = FollowerProxy(eventLoop: eventLoop)
        let store = environment.store
        let future = store.follow(id, proxy).hop(to: eventLoop)
            .flatMap { store.load(id).hop(to: self.eventLoop) }
            .flatMapThrowing { stored in try stored.map { try self.makeRoom(id, $0, proxy) } }
        return occupy(id, with: future) { .opening($0) }
    }

    /// Makes a new room. Exactly one of any number of concurrent creators gets it.
    func create(_ request: CreateRequest) -> EventLoopFuture<CreationResult> {
        eventLoop.assertInEventLoop()
        let id = request.room
        switch slots[id] {
        case .live(let room) where !room.isGone:
            return eventLoop.makeSucceededFuture(.exists)
        case .opening(let future), .creating(let future):
            return future.flatMap { room in
                room == nil ? self.create(request) : self.eventLoop.makeSucceededFuture(.exists)
            }
        case .live, nil: break
        }
        let proxy = FollowerProxy(eventLoop: eventLoop)
        let store = environment.store
        let outcome = store.follow(id, proxy).hop(to: eventLoop)
            .flatMap { store.create(request).hop(to: self.eventLoop) }
        let room = outcome.map { outcome -> LiveRoom? in
            guard case .created(let epoch, _) = outcome else { return nil }
            var state = RoomState(id: id, epoch: epoch)
            for (index, entry) in request.entries.enumerated() {
                let version = epoch + Version(index)
                state.fold(
                    VersionedEntry(version: version, previous: state.version, entry: entry),
                    limits: self.environment.options.room)
            }
            return self.install(state, proxy)
        }
        return occupy(id, with: room, as: { .creating($0) }).and(outcome).map { room, outcome in
            switch outcome {
            case .created: room.map { .created($0) } ?? .exists
            case .exists: .exists
            case .fenced: .fenced
            }
        }
    }

    enum CreationResult {
        case created(LiveRoom)
        case exists
        case fenced
    }

    /// Lets go of rooms that nobody here needs any more.
    func closeIdleRooms(after milliseconds: Int64) {
        eventLoop.assertInEventLoop()
        let now = environment.clock.elapsedMilliseconds
        for (id, slot) in slots {
            guard case .live(let room) = slot else { continue }
            if room.isGone {
                slots[id] = nil
            } else if room.isIdle {
                if now - room.idleSince >= milliseconds {
                    room.end(announcing: nil, deletedBy: nil)
                    slots[id] = nil
                }
            } else {
                room.idleSince = now
            }
        }
    }

    private func occupy(
        _ id: String, with future: EventLoopFuture<LiveRoom?>,
        as slot: (EventLoopFuture<LiveRoom?>) -> Slot
    ) -> EventLoopFuture<LiveRoom?> {
        slots[id] = slot(future)
        return future.map { room in
            self.slots[id] = room.map { .live($0) }
            if room == nil { self.environment.store.unfollow(id) }
            return room
        }.flatMapErrorThrowing { error in
            self.slots[id] = nil
            self.environment.store.unfollow(id)
            throw error
        }
    }

    private func makeRoom(
        _ id: String, _ stored: StoredRoom, _ proxy: FollowerProxy
    ) throws -> LiveRoom {
        install(try RoomState(stored: stored, id: id), proxy)
    }

    private func install(_ state: RoomState, _ proxy: FollowerProxy) -> LiveRoom {
        let room = LiveRoom(state: state, on: eventLoop, environment: environment)
        proxy.attach(room)
        return room
    }
}

/// Stands in for a room while it is being loaded: keeps the notices for it.
///
/// `@unchecked Sendable`: mutable state is touched on `eventLoop` only.
final class FollowerProxy: RoomFollower, @unchecked Sendable {
    let eventLoop: any EventLoop
    private var room: LiveRoom?
    private var waiting: [RoomNotice] = []

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func received(_ notice: RoomNotice) {
        eventLoop.assertInEventLoop()
        if let room { room.received(notice) } else { waiting.append(notice) }
    }

    func currentCheckpoint() -> RoomCheckpoint? { room?.currentCheckpoint() }

    func currentPosition() -> RoomPosition? { room?.currentPosition() }

    func attach(_ room: LiveRoom) {
        eventLoop.assertInEventLoop()
        self.room = room
        for notice in waiting { room.received(notice) }
        waiting.removeAll()
    }
}
