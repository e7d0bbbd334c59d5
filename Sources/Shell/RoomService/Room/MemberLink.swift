import NIOCore
import Rooms
import SocketIOServer

/// One member's connection, where this instance holds it: what it has been sent, and what waits
/// for it. Confined to the room's loop.
///
/// Events are held for a member while one of these is so:
///
/// - It applies a full scene. The browser client drops every edit that comes meanwhile (R17), so
///   edits are held, of each object the latest; a second full scene is not sent before the first
///   can have been applied (R16). Lists and notices pass.
/// - It reads too slowly: its connection's queue is above the high-water mark. Then everything is
///   held until the queue has drained; of lists the latest, of other notices the last few.
///
/// Too many edits, or too many bytes of them, become one fresh scene at the end.
final class MemberLink {
    let socket: Socket
    /// Whether broadcasts begun on the room's loop reach the socket. Until then it is sent to by
    /// itself.
    var hasEntered = false
    private(set) var isLagging = false
    /// The scene version that the client has for certain while edits are held for it.
    private(set) var heldSince: Version = 0
    /// The room's version that the last full scene sent to the client had.
    private(set) var sceneSent: Version = 0
    /// Send a fresh scene, rather than edits, when the hold ends.
    private(set) var needsScene = false
    /// When the last lag ended, by the clock's `elapsedMilliseconds`; nil if there was none.
    private(set) var lagEndedAt: Int64?
    private let metrics: RoomMetrics
    private var held = HeldEvents()
    /// What the client needs for the scene sent last; nil once it has surely applied it.
    private var applyTime: TimeAmount?
    private var timer: Scheduled<Void>?

    init(socket: Socket, metrics: RoomMetrics) {
        self.socket = socket
        self.metrics = metrics
    }

    /// Whether edits are held.
    var isHolding: Bool { isLagging || applyTime != nil }
    var hasHeldEdits: Bool { held.edits > 0 || needsScene }
    var heldBytes: Int { held.bytes }
    var heldEdits: Int { held.edits }

    // MARK: Holds

    /// A full scene of the room's `version` was sent, for which the client needs `time`; `release`
    /// is called when that is over.
    func sceneWasSent(
        _ version: Version, needing time: TimeAmount, on eventLoop: any EventLoop,
        release: @escaping @Sendable () -> Void
    ) {
        heldSince = version
        sceneSent = version
        needsScene = false
        changeHeld { $0.dropEdits() }
        applyTime = time
        startTimer(on: eventLoop, release)
    }

    private func startTimer(on eventLoop: any EventLoop, _ release: @escaping @Sendable () -> Void)
    {
        timer?.cancel()
        timer = applyTime.map { eventLoop.scheduleTask(in: $0, release) }
    }

    /// The client's connection is backed up.
    func beginLag(at version: Version) {
        guard !isLagging else { return }
        isLagging = true
        metrics.laggingChanged(by: 1)
        if applyTime == nil { heldSince = version }
    }

    /// The connection has drained: a scene that was in it has arrived only now.
    func endLag(
        at now: Int64, on eventLoop: any EventLoop, release: @escaping @Sendable () -> Void
    ) {
        guard isLagging else { return }
        isLagging = false
        lagEndedAt = now
        metrics.laggingChanged(by: -1)
        if applyTime == nil { release() } else { startTimer(on: eventLoop, release) }
    }

    /// The time for the scene is over. Gives what is to be sent now; nil while the client lags.
    func endHold() -> (events: [PreparedEvent], needsScene: Bool)? {
        guard !isLagging else { return nil }
        let result = (changeHeld { $0.takeAll() }, needsScene)
        cancel()
        return result
    }

    /// Nothing is sent to the member any more, or everything is at once.
    func cancel() {
        timer?.cancel()
        timer = nil
        applyTime = nil
        if isLagging { metrics.laggingChanged(by: -1) }
        isLagging = false
        needsScene = false
        _ = changeHeld { $0.takeAll() }
    }

    // MARK: What is held

    func holdBack(_ event: PreparedEvent, key: String?, _ limits: ServiceLimits) {
        guard !needsScene else { return }
        changeHeld { $0.add(event, .edit, key: key) }
        if held.edits > limits.heldEvents || held.bytes > limits.heldBytes { wantScene() }
    }

    /// `key`: only the latest of these counts.
    func holdBackNotice(_ event: PreparedEvent, key: String?, _ limits: ServiceLimits) {
        changeHeld {
            $0.add(event, .notice, key: key)
            $0.dropOldestNotices(keeping: limits.heldNotices)
        }
    }

    /// The member's own scene was stored: it says all that is held for him.
    func dropHeldEdits() { changeHeld { $0.dropEdits() } }

    /// A newer full scene is due.
    func wantScene() {
        needsScene = true
        changeHeld { $0.dropEdits() }
    }

    @discardableResult
    private func changeHeld<Result>(_ body: (inout HeldEvents) -> Result) -> Result {
        let before = held.bytes
        defer { metrics.heldChanged(by: held.bytes - before) }
        return body(&held)
    }
}
