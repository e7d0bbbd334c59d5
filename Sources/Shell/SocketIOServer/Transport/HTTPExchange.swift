import NIOCore

/// One request that waits for its answer, as whoever will give the answer holds it.
///
/// Unchecked: `handler`, `session` and `forward` are touched on `eventLoop` only, `remoteAddress` is
/// not changed once others hold the exchange.
final class HTTPExchange: @unchecked Sendable {
    let eventLoop: any EventLoop
    private weak var handler: HTTPHandler?
    /// The client's address; set before the exchange is handed on, and not after.
    var remoteAddress = ""
    /// Told when the connection breaks before the answer.
    var session: ServerSession?
    /// Likewise, where another instance has the session.
    var forward: Forward?

    init(_ handler: HTTPHandler, eventLoop: any EventLoop) {
        self.handler = handler
        self.eventLoop = eventLoop
    }

    /// Answers the request; from any loop. All but the first answer are dropped.
    func respond(_ response: HTTPResponse) {
        onLoop { self.handler?.answer(self, response) }
    }

    /// Runs `body` on the connection's loop, at once if that is this one.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        if eventLoop.inEventLoop { body() } else { eventLoop.execute(body) }
    }

    /// Runs `body` on the session's loop, at once if that is this one.
    func onSession(
        _ session: ServerSession, _ body: @escaping @Sendable (ServerSession) -> Void
    ) {
        if session.eventLoop.inEventLoop {
            body(session)
        } else {
            session.eventLoop.execute { body(session) }
        }
    }
}
