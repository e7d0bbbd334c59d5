import NIOCore
import Rooms
import SocketIOServer

/// One member's connection, where this instance holds it: what it has been sent, and what waits
/// for it. Confined to the room's loop.
///
/// While the browser client applies a full scene it drops every edit (R17). So after each full
/// scene the edits for that client are held for a while, the latest of each object kept; a second
/// full scene is not sent before the first can have been applied (R16).
final class MemberLink {
    struct Held {
        /// Same key: the later takes the place of the earlier. Nil: kept as it is.
        var key: String?
        var event: PreparedEvent
    }

    let socket: Socket
    /// Whether broadcasts begun on the room's loop reach the socket. Until then it is sent to by
    /// itself.
    var hasEntered = false
    private(set) var isHolding = false
    /// The scene version that the client has for certain while edits are held for it.
    private(set) var heldSince: Version = 0
    private(set) var held: [Held] = []
    /// The room's version that the last full scene sent to the client had.
    private(set) var sceneSent: Version = 0
    /// Send a fresh scene, rather than what is held, when the hold ends.
    private(set) var needsScene = false
    private var timer: Scheduled<Void>?

    init(socket: Socket) {
        self.socket = socket
    }

    /// Holds edits from `version` on; `release` is called when the time is over.
    func hold(
        for time: TimeAmount, since version: Version, on eventLoop: any EventLoop,
        release: @escaping @Sendable () -> Void
    ) {
        timer?.cancel()
        isHolding = true
        heldSince = version
        sceneSent = version
        held.removeAll()
        needsScene = false
        timer = eventLoop.scheduleTask(in: time, release)
    }

    func holdBack(_ event: PreparedEvent, key: String?, limit: Int) {
        guard !needsScene else { return }
        if let key { held.removeAll { $0.key == key } }
        held.append(Held(key: key, event: event))
        if held.count > limit { wantScene() }
    }

    /// A newer full scene is due.
    func wantScene() {
        needsScene = true
        held.removeAll()
    }

    /// Ends the hold; gives what waited.
    func endHold() -> (events: [PreparedEvent], needsScene: Bool) {
        let result = (held.map(\.event), needsScene)
        cancel()
        return result
    }

    func cancel() {
        timer?.cancel()
        timer = nil
        isHolding = false
        held.removeAll()
        needsScene = false
    }
}
