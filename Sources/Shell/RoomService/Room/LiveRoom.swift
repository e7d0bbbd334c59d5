import Logging
import NIOCore
import RoomStore
import Rooms
import SocketIOServer

/// One room as this instance serves it: a copy of its state, kept up to date in version order; the
/// queue of what its members want; the connections of the members held here.
///
/// Life: `loading → live → gone`. Everything mutable is confined to `eventLoop`.
///
///     operation → queue → decide on a draft → commit → (reply, notices) → sequencer
///               → fold, deliver to members here → answer the operation
///
/// Invariants: one commit in flight; entries are folded in version order, once; nothing is
/// delivered or answered before it is committed.
///
/// `@unchecked Sendable`: mutable state is touched on `eventLoop` only, asserted at each entry.
final class LiveRoom: RoomFollower, @unchecked Sendable {
    struct Pending {
        let id: String
        let operation: RoomOperation
        let complete: (OperationResult) -> Void
        var attempts = 0
    }

    let id: String
    let eventLoop: any EventLoop
    let environment: RoomEnvironment

    var state: RoomState
    var sequencer: EntrySequencer
    var queue: [Pending] = []
    var inFlight: InFlight?
    var isReading = false
    var isReloading = false
    var vainReads = 0
    private(set) var isGone = false

    /// Connections held here, by member id.
    var links: [String: MemberLink] = [:] {
        didSet { environment.metrics.membersChanged(from: oldValue.count, to: links.count) }
    }
    /// Sockets whose join is on its way.
    var arriving: [String: Socket] = [:]
    var logBytesSinceCheckpoint = 0
    var isCheckpointing = false
    var sceneCache: SceneCache?
    var listSentAt: Int64 = .min / 2
    var isListScheduled = false
    /// Since when nobody here needs the room (`elapsedMilliseconds`).
    var idleSince: Int64

    init(
        state: RoomState, on eventLoop: any EventLoop, environment: RoomEnvironment
    ) {
        id = state.control.id
        self.state = state
        self.eventLoop = eventLoop
        self.environment = environment
        sequencer = EntrySequencer(applied: state.version)
        idleSince = environment.clock.elapsedMilliseconds
        environment.clock.observe(state.version)
    }

    var control: RoomControl { state.control }
    /// The Socket.IO room of this room's members.
    var socketRoom: String { "room:\(id)" }
    var isIdle: Bool {
        links.isEmpty && arriving.isEmpty && queue.isEmpty && inFlight == nil
    }

    /// Whether nothing waits to be committed or answered.
    var isSettled: Bool { queue.isEmpty && inFlight == nil }

    /// Queues an operation; `complete` is called on this loop, once, after it was committed,
    /// delivered here, or refused.
    func submit(_ operation: RoomOperation, complete: @escaping (OperationResult) -> Void) {
        eventLoop.assertInEventLoop()
        guard !isGone else { return complete(.failed(.roomNotFound)) }
        guard queue.count < environment.options.limits.queuedOperations else {
            environment.metrics.count(\.rateLimited)
            return complete(.failed(.rateLimited))
        }
        queue.append(
            Pending(
                id: environment.makeOperationID(), operation: operation, complete: complete))
        pump()
    }

    /// Ends the room here: members are told and let go, what is queued is answered.
    func end(announcing message: String?, deletedBy host: String?) {
        eventLoop.assertInEventLoop()
        guard !isGone else { return }
        isGone = true
        environment.store.unfollow(id)
        if let message { announceEnd(message, deletedBy: host) }
        for link in links.values {
            link.cancel()
            link.socket.leave(socketRoom)
        }
        links.removeAll()
        let waiting = (inFlight?.batch ?? []) + queue
        inFlight = nil
        queue.removeAll()
        // Sessions may refer to this room for long; its scene need not stay for that.
        sceneCache = nil
        state = RoomState(id: id, epoch: control.epoch)
        for pending in waiting { pending.complete(pending.resultAfterEnd) }
    }

    // MARK: RoomFollower

    func received(_ notice: RoomNotice) {
        eventLoop.assertInEventLoop()
        guard !isGone else { return }
        switch notice {
        case .entries(let entries, let epoch) where epoch == control.epoch:
            apply(sequencer.receive(entries))
            fillGap()
        case .head(let version, let epoch) where epoch == control.epoch:
            sequencer.heard(of: version)
            fillGap()
        case .deleted(let entry, let epoch) where epoch == control.epoch:
            endDeleted(entry)
        case .replaced: reload()
        case .entries, .head, .deleted: break
        }
    }

    func currentCheckpoint() -> RoomCheckpoint? {
        eventLoop.assertInEventLoop()
        guard !isGone else { return nil }
        return makeCheckpoint()
    }

    func makeCheckpoint() -> RoomCheckpoint {
        RoomCheckpoint(
            epoch: control.epoch, version: state.version, bytes: state.checkpoint(),
            summary: RoomSummary(control))
    }

    func endDeleted(_ entry: RoomEntry?) {
        var host = control.hostName
        if case .deleted(let memberID)? = entry?.change, let member = control.members[memberID] {
            host = member.name
        }
        environment.metrics.count(\.roomsDeleted)
        end(announcing: environment.messages.roomDeleted(by: host), deletedBy: host)
    }
}

/// What became of an operation.
enum OperationResult: Sendable, Hashable {
    case committed(version: Version)
    case unchanged
    /// A full upload that the room has left behind (R22).
    case stale
    case refused(RoomRefusal)
    case failed(ErrorCode)
}

extension LiveRoom.Pending {
    /// Leaving and deleting succeed when the room is gone; everything else has no room.
    fileprivate var resultAfterEnd: OperationResult {
        switch operation {
        case .leave, .delete, .sweep: .unchanged
        default: .failed(.roomNotFound)
        }
    }
}
