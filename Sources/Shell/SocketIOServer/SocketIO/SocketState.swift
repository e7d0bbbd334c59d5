import JSON
import NIOCore
import SocketIO

/// What changes about a socket. Not sendable: its loop-bound holder confines it to the loop.
final class SocketState {
    enum Phase: Equatable {
        /// Middleware has not decided yet, or has refused.
        case connecting
        case connected
        case disconnected(DisconnectReason)
    }

    var phase = Phase.connecting
    /// The client is the socket again that it was before a break.
    var isRecovered = false
    /// Events are sent without their offsets until the one named releases them.
    var offsetsHolder: String?
    /// An offset was left out since.
    var hasLeftOutOffset = false
    var delegate: (any SocketDelegate)?
    /// Nil until the first is registered, and again after the end.
    private(set) var handlers: SocketHandlers?
    var user: (any Sendable)?
    var acks: AckRegistry<EventLoopPromise<EventArguments>>
    /// Fires at the acks' next deadline or before.
    var ackTimer: (at: Duration, task: Scheduled<Void>)?

    init(maxPendingAcks: Int) {
        acks = AckRegistry(limit: maxPendingAcks)
    }

    /// In which form the event is for this client.
    func takesOffset(of event: PreparedEvent, _ pid: String?) -> Bool {
        guard event.offset != nil, pid != nil else { return false }
        if offsetsHolder != nil { hasLeftOutOffset = true }
        return offsetsHolder == nil
    }

    /// Registers a function.
    func register(_ body: (SocketHandlers) -> Void) {
        let handlers = handlers ?? SocketHandlers()
        self.handlers = handlers
        body(handlers)
    }

    func dropHandlers() {
        delegate = nil
        handlers = nil
    }
}
