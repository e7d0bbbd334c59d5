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
    /// When the member came in here, by the clock's `elapsedMilliseconds`.
    let enteredAt: Int64
    /// The room's version that the last full scene which reached the client had.
    private(set) var sceneReceived: Version = 0
    /// Send a fresh scene, rather than edits, when the hold ends.
    private(set) var needsScene = false
    /// When the last lag ended, by the clock's `elapsedMilliseconds`; nil if there was none.
    private(set) var lagEndedAt: Int64?
    /// When edits that were held were last sent, by the same clock; nil if none were.
    private(set) var heldSentAt: Int64?
    private let metrics: RoomMetrics
    private var held = HeldEvents()

    private struct SceneUnderWay {
        let version: Version
        /// What the client knew for certain before it.
        let base: Version
        /// What the client needs for it once it has it.
        let applyTime: TimeAmount
        var hasArrived = false
    }

    /// What the client had been sent at some time.
    struct SceneMark {
        let scenesSent: Int
        let isUnderWay: Bool
    }

    var sceneMark: SceneMark { SceneMark(scenesSent: scenesSent, isUnderWay: scene != nil) }

    /// Whether the client applies, or has applied, a scene over what he did at that time.
    func hasAppliedScene(since mark: SceneMark) -> Bool {
        mark.isUnderWay || mark.scenesSent != scenesSent
    }

    /// An edit of his own was given back to him.
    func gaveBack(at now: Int64) { heldSentAt = now }

    /// The scene sent last that the client may not have applied yet.
    private var scene: SceneUnderWay?
    private var scenesSent = 0
    private var timer: Scheduled<Void>?

    init(socket: Socket, metrics: RoomMetrics, at now: Int64) {
        self.socket = socket
        enteredAt = now
        self.metrics = metrics
    }

    /// Whether edits are held.
    var isHolding: Bool { isLagging || scene != nil }
    var hasHeldEdits: Bool { held.edits > 0 || needsScene }
    var heldBytes: Int { held.bytes }
    var heldEdits: Int { held.edits }

    // MARK: Holds

    /// What the client knew for certain before a scene that is on its way to it.
    var baseBeforeScene: Version? { scene.flatMap { $0.hasArrived ? nil : $0.base } }

    /// A full scene of the room's `version` was sent to a client that knew `base` for certain and
    /// needs `time` for the scene once it has it. Gives what `sceneArrived` is told then.
    func sceneWasSent(_ version: Version, over base: Version, needing time: TimeAmount) -> Int {
        heldSince = version
        needsScene = false
        changeHeld { $0.dropEdits() }
        timer?.cancel()
        scene = SceneUnderWay(version: version, base: base, applyTime: time)
        scenesSent += 1
        return scenesSent
    }

    /// The client has that scene; `release` is called when it must have applied it. Without effect
    /// if another was sent meanwhile.
    func sceneArrived(
        _ number: Int, on eventLoop: any EventLoop, release: @escaping @Sendable () -> Void
    ) {
        guard number == scenesSent, let scene else { return }
        self.scene?.hasArrived = true
        sceneReceived = scene.version
        timer?.cancel()
        timer = eventLoop.scheduleTask(in: scene.applyTime, release)
    }

    /// The client's connection is backed up.
    func beginLag(at version: Version) {
        guard !isLagging else { return }
        isLagging = true
        metrics.laggingChanged(by: 1)
        if scene == nil { heldSince = version }
    }

    /// The connection has drained.
    func endLag(
        at now: Int64, on eventLoop: any EventLoop, release: @escaping @Sendable () -> Void
    ) {
        guard isLagging else { return }
        isLagging = false
        lagEndedAt = now
        metrics.laggingChanged(by: -1)
        guard let scene else { return release() }
        if scene.hasArrived { sceneArrived(scenesSent, on: eventLoop, release: release) }
    }

    /// The time for the scene is over. Gives what is to be sent now; nil while the client lags.
    func endHold(at now: Int64) -> (events: [PreparedEvent], needsScene: Bool)? {
        guard !isLagging else { return nil }
        if held.edits > 0 { heldSentAt = now }
        let result = (changeHeld { $0.takeAll() }, needsScene)
        cancel()
        return result
    }

    /// Nothing is sent to the member any more, or everything is at once.
    func cancel() {
        timer?.cancel()
        timer = nil
        scene = nil
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
