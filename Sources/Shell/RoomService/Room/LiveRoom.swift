import Logging
import NIOCore
import RoomStore
import Rooms
import SocketIOServer

/// One room as this instance serves it: a copy of its state, kept up to date in version order; the
/// queue of what its members want; the connections of the members held here.
///
/// Life: `live → gone`. Everything mutable is confined to `eventLoop`.
///
///     operation → queue → decide on a draft → commit → (reply, notices) → sequencer
///               → fold, deliver to members here → answer the operation
///
/// Invariants: one commit in flight; entries are folded in version order, once; nothing is
/// delivered or answered before it is committed; all commits are made as the incarnation that the
/// room was opened under, so that what a fenced one still holds is never committed as another.
///
/// `@unchecked Sendable`: mutable state is touched on `eventLoop` only, asserted at each entry.
final class LiveRoom: RoomFollower, @unchecked Sendable {
    struct Pending {
        let id: String
        let operation: RoomOperation
        let complete: (OperationResult) -> Void
        /// Of an edit: what its author had been sent when it came.
        var mark: MemberLink.SceneMark?
        var attempts = 0
    }

    let id: String
    let eventLoop: any EventLoop
    let environment: RoomEnvironment
    /// Who this instance was when the room was opened.
    let incarnation: String

    var state: RoomState
    var sequencer: EntrySequencer
    /// Operations of the next commit at most: the edits that were put first in the queue.
    var editsFirst = Int.max
    var queue = OperationQueue()
    var inFlight: InFlight?
    var isPumpPlanned = false
    var isReading = false
    var vainReads = 0
    var reloading: Reload?
    private(set) var isGone = false

    /// Connections held here, by member id.
    private(set) var links: [String: MemberLink] = [:]
    /// Those of `links` that broadcasts of edits leave out: edits are held for them, or they are
    /// not in `socketRoom` yet.
    private(set) var apart: [String: MemberLink] = [:]
    /// Sockets whose join is on its way.
    var arriving: [String: Socket] = [:]
    /// Members whose connection broke here, and until when they are waited for.
    var awaited: [String: Scheduled<Void>] = [:]
    /// The end of the log, while clients come back that may have missed some of it.
    var recent: RecentLog?
    var recentUsedAt: Int64 = 0
    /// Who waits for the read of the log that is under way; the first began it.
    var readsBack: [(Bool) -> Void] = []
    /// How many of `links` are told offsets.
    private var linksWithOffsets = 0
    /// What the offsets of this room begin with.
    private let offsetPrefix: String
    /// Members of this incarnation that had no connection at the last look.
    var unconnected: Set<String> = []
    /// Looks at the store's list in a row that did not find the room.
    var timesUnlisted = 0
    var logBytesSinceCheckpoint = 0
    var isCheckpointing = false
    /// How often the copy was replaced by what is stored.
    var replacements = 0
    var sceneCache: SceneCache?
    /// Of the last scene that was sent.
    var lastSceneVersion: Version = 0
    var listSentAt: Int64 = .min / 2
    var isListScheduled = false
    /// The list that is scheduled is mirrored too.
    var isListMirrored = false
    /// When changes of the scene were folded here.
    var arrivals = SceneArrivals()
    /// Since when nobody here needs the room (`elapsedMilliseconds`).
    var idleSince: Int64

    init(
        state: RoomState, on eventLoop: any EventLoop, environment: RoomEnvironment
    ) {
        id = state.control.id
        self.state = state
        self.eventLoop = eventLoop
        self.environment = environment
        incarnation = environment.identity.incarnation
        offsetPrefix = RoomOffset.prefix(room: state.control.id, epoch: state.control.epoch)
        sequencer = EntrySequencer(applied: state.version)
        idleSince = environment.clock.elapsedMilliseconds
        environment.clock.observe(state.version)
        environment.witness?(.opened, state)
    }

    var control: RoomControl { state.control }
    /// The Socket.IO room of this room's members.
    var socketRoom: String { "room:\(id)" }
    var isIdle: Bool {
        links.isEmpty && arriving.isEmpty && isSettled && control.holders[incarnation] == nil
    }

    /// Whether nothing waits to be committed or answered.
    var isSettled: Bool { queue.isEmpty && inFlight == nil }

    /// Queues an operation; `complete` is called on this loop, once, after it was committed,
    /// delivered here, or refused.
    func submit(_ operation: RoomOperation, complete: @escaping (OperationResult) -> Void) {
        eventLoop.assertInEventLoop()
        guard !isGone else { return complete(operation.resultInRoomThatIsGone) }
        guard queue.admits(operation, environment.options.limits) else {
            environment.metrics.count(\.rateLimited)
            return complete(.failed(.rateLimited))
        }
        var mark: MemberLink.SceneMark?
        if case .edit(_, let author) = operation { mark = links[author]?.sceneMark }
        queue.append(
            Pending(
                id: environment.makeOperationID(), operation: operation, complete: complete,
                mark: mark))
        pumpLater()
    }

    /// Ends the room here: members are told and let go, what is queued is answered.
    func end(
        announcing message: String?, deletedBy host: String?, mirrored: Bool = false,
        leaving copy: RoomCheckpoint? = nil
    ) {
        eventLoop.assertInEventLoop()
        guard !isGone else { return }
        isGone = true
        if let copy {
            environment.store.unfollow(id, leaving: copy)
        } else {
            environment.store.unfollow(id)
        }
        if let message { announceEnd(message, deletedBy: host, mirrored: mirrored) }
        for link in links.values {
            link.cancel()
            link.socket.releaseOffsets(socketRoom)
            link.socket.leave(socketRoom)
        }
        for timer in awaited.values { timer.cancel() }
        awaited.removeAll()
        recent = nil
        linksWithOffsets = 0
        environment.metrics.membersChanged(from: links.count, to: 0)
        links.removeAll()
        apart.removeAll()
        let waiting = (inFlight?.batch ?? []) + queue.removeAll()
        inFlight = nil
        // Sessions may refer to this room for long; its scene need not stay for that.
        sceneCache = nil
        state = RoomState(id: id, epoch: control.epoch)
        for pending in waiting { pending.complete(pending.operation.resultAsRoomEnds) }
    }

    /// Others took this incarnation for dead.
    func foundFenced() {
        environment.onFenced(incarnation)
        endFenced()
    }

    /// Ends the room here because others took this incarnation for dead: its members are theirs. The
    /// store is left the copy, in case there is no other.
    func endFenced() {
        guard !isGone else { return }
        end(announcing: nil, deletedBy: nil, leaving: RoomCheckpoint(of: state))
    }

    // MARK: Connections

    func add(_ link: MemberLink) {
        let before = links.count
        links[link.socket.id] = link
        if link.socket.pid != nil { linksWithOffsets += 1 }
        setApart(link)
        environment.metrics.membersChanged(from: before, to: links.count)
    }

    /// Nothing is sent to the member from now on.
    func dropLink(_ memberID: String) {
        guard let link = links.removeValue(forKey: memberID) else { return }
        apart[memberID] = nil
        link.cancel()
        if link.socket.pid != nil {
            linksWithOffsets -= 1
            link.socket.releaseOffsets(socketRoom)
        }
        link.socket.leave(socketRoom)
        idleSince = environment.clock.elapsedMilliseconds
        environment.metrics.membersChanged(from: links.count + 1, to: links.count)
    }

    /// The offset of a version, where a member here is told offsets.
    func offset(at version: Version?, followsScene: Bool = false) -> String? {
        guard let version, linksWithOffsets > 0 else { return nil }
        return offsetPrefix + RoomOffset.suffix(version, followsScene: followsScene)
    }

    /// To be called when `isHolding` or `hasEntered` of a link of this room has changed.
    func setApart(_ link: MemberLink) {
        let isApart = link.isHolding || !link.hasEntered
        apart[link.socket.id] = isApart ? link : nil
    }

    // MARK: RoomFollower

    func received(_ notice: RoomNotice) {
        eventLoop.assertInEventLoop()
        guard !isGone else { return }
        switch notice {
        case .entries(let entries, let epoch) where epoch == control.epoch:
            apply(sequencer.receive(entries))
            fillGap()
        case .head(let version, let epoch) where epoch == control.epoch: heard(of: version)
        case .deleted(let entry, let epoch) where epoch == control.epoch:
            endDeleted(entry)
        case .replaced: reload(isReplaced: true)
        case .entries, .head, .deleted: break
        }
    }

    /// The log reaches to this version.
    func heard(of version: Version) {
        sequencer.heard(of: version)
        fillGap()
    }

    func currentCheckpoint() -> RoomCheckpoint? {
        eventLoop.assertInEventLoop()
        guard !isGone else { return nil }
        return RoomCheckpoint(of: state)
    }

    func currentPosition() -> RoomPosition? {
        eventLoop.assertInEventLoop()
        return isGone ? nil : RoomPosition(epoch: control.epoch, version: state.version)
    }

    func endDeleted(_ entry: RoomEntry?) {
        var host = control.hostName
        if case .deleted(let memberID)? = entry?.change, let member = control.members[memberID] {
            host = member.name
        }
        environment.metrics.count(\.roomsDeleted)
        end(
            announcing: environment.messages.roomDeleted(by: host), deletedBy: host,
            mirrored: entry.map(isMirrored) ?? false)
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

extension RoomOperation {
    /// Whoever was about to leave or to delete the room has what he wanted.
    fileprivate var resultAsRoomEnds: OperationResult {
        if case .delete = self { .unchanged } else { resultInRoomThatIsGone }
    }

    fileprivate var resultInRoomThatIsGone: OperationResult {
        switch self {
        case .leave, .sweep, .markAway, .expire: .unchanged
        default: .failed(.roomNotFound)
        }
    }
}
