import EngineIO
import NIOCore
import NIOHTTP1

/// One request on its way to the instance that has its session, and its answer on the way back.
///
///     receiving ──send──▶ connecting ──▶ asking ──answer, failure──▶ ended
///         │                   │             └──────── 101 ──▶ tunnelling ──▶ ended
///         └────── cancel ─────┴──── cancel, deadline, home is gone ──▶ ended
///
/// Confined to the loop of the request's connection; the connection to the other instance lives on
/// the same loop.
final class Forward: WheelTimed {
    private enum Phase {
        case receiving
        case connecting
        case asking(PeerConnection)
        case tunnelling(far: TunnelHandler)
        case ended
    }

    enum Failure {
        /// The instance cannot be reached, or does not answer in time.
        case unreachable
        /// More than `maxForwards` or `maxBytes` are on their way.
        case tooMuch
    }

    /// How often it is asked whether the session's home still stands.
    private static let checkInterval: Int64 = 1_000

    private let sid: String
    private let target: ForwardTarget
    private let forwarding: SessionForwarding
    private let exchange: HTTPExchange
    private let engine: EngineContext
    private let loop: EngineLoop
    private let peerAddress: String
    private var phase = Phase.receiving
    private var hasPlace = false
    private var heldBytes = 0
    private var countedBytes = 0
    private var heardAt: Int64 = 0
    var wheelDeadline: Int64?
    /// The other instance has taken the WebSocket: puts the near end of the tunnel in place, false
    /// where the client is gone.
    var onSwitch: ((TunnelHandler) -> Bool)?

    init(
        _ request: IncomingRequest, sid: String, to target: ForwardTarget,
        _ forwarding: SessionForwarding, engine: EngineContext, loop: EngineLoop
    ) {
        self.sid = sid
        self.target = target
        self.forwarding = forwarding
        self.engine = engine
        self.loop = loop
        exchange = request.exchange
        peerAddress = request.address.peer
    }

    /// Counts bytes that are kept for this request; false where that is too much.
    func holds(_ count: Int) -> Bool {
        heldBytes += count
        let due = heldBytes - forwarding.limits.uncountedBytes - countedBytes
        guard due > 0 else { return true }
        guard engine.forwards.hold(due, limit: forwarding.limits.maxBytes) else { return false }
        countedBytes += due
        return true
    }

    // MARK: There

    /// Sends the request, which is whole now.
    func send(_ request: IncomingRequest) {
        guard case .receiving = phase else { return }
        // Not before: whoever sends slowly must not take the place of others.
        hasPlace = engine.forwards.begin(limit: forwarding.limits.maxForwards)
        guard hasPlace else {
            fail(.tooMuch)
            return
        }
        phase = .connecting
        heardAt = loop.now
        loop.schedule(self, at: nextCheck(now: loop.now))
        let head = head(for: request)
        let body = request.body
        loop.peers.connect(to: target, loop: loop, limits: forwarding.limits) { connection in
            self.connected(connection, head, body)
        }
    }

    private func connected(
        _ connection: PeerConnection?, _ head: HTTPRequestHead, _ body: ByteBuffer
    ) {
        guard case .connecting = phase else {
            connection?.release()
            return
        }
        guard let connection else {
            fail(.unreachable)
            return
        }
        phase = .asking(connection)
        connection.ask(self, head, body)
    }

    private func head(for request: IncomingRequest) -> HTTPRequestHead {
        var headers: HTTPHeaders = [
            "host": target.authority, SessionForwarding.header: "1",
            "x-forwarded-for": request.address.remote,
        ]
        if request.head.method == .POST {
            for value in request.head.headers["content-type"] {
                headers.add(name: "content-type", value: value)
            }
            headers.add(name: "content-length", value: String(request.body.readableBytes))
        }
        if WebSocketUpgrade.isRequested(by: request.head) {
            headers.add(name: "connection", value: "Upgrade")
            headers.add(name: "upgrade", value: "websocket")
            for name in ["sec-websocket-version", "sec-websocket-key"] {
                for value in request.head.headers[name] { headers.add(name: name, value: value) }
            }
        }
        return HTTPRequestHead(
            version: .http1_1, method: request.head.method, uri: request.head.uri,
            headers: headers)
    }

    // MARK: And back

    func answered(_ head: HTTPResponseHead, _ body: ByteBuffer) {
        guard case .asking = phase else { return }
        if head.status == .ok { noteSuccess() }
        var headers = head.headers
        for name in Self.ownHeaders { headers.remove(name: name) }
        let exchange = exchange
        end()
        exchange.respond(HTTPResponse(status: head.status, headers: headers, body: body))
    }

    /// What this side says for itself.
    private static let ownHeaders = [
        "connection", "keep-alive", "transfer-encoding", "content-length", "vary",
        "access-control-allow-origin", "access-control-allow-credentials",
    ]

    func peerFailed(_ failure: Failure = .unreachable) {
        guard case .asking = phase else { return }
        fail(failure)
    }

    private func noteSuccess() {
        loop.metrics.forwards += 1
        guard engine.forwards.isFirst() else { return }
        forwarding.onFirstForward(.init(target: target, peerAddress: peerAddress))
    }

    private func fail(_ failure: Failure) {
        loop.metrics.forwardFailures += 1
        loop.metrics.refusals += 1
        let exchange = exchange
        end()
        exchange.respond(failure == .tooMuch ? Self.overload : .refusal(.unknownSession))
    }

    /// The answer where a limit is reached.
    static var overload: HTTPResponse {
        var response = HTTPResponse.refusal(
            status: .serviceUnavailable, code: RequestError.forbidden.rawValue,
            message: "Too much to forward")
        response.headers.add(name: "retry-after", value: "1")
        return response
    }

    // MARK: Tunnel

    /// The other instance has answered 101.
    func peerSwitched(_ connection: PeerConnection) {
        let timeout = engine.options.limits.closeTimeout.wholeMilliseconds
        let (near, far) = TunnelHandler.pair(
            closeTimeout: .milliseconds(timeout),
            onActivity: { [unowned self] in heardAt = loop.coarseNow },
            onEnd: { self.tunnelEnded() })
        let install = onSwitch
        guard case .asking = phase, install?(near) == true else {
            connection.close()
            near.end()
            end()
            return
        }
        phase = .tunnelling(far: far)
        onSwitch = nil
        heardAt = loop.now
        loop.metrics.openTunnels += 1
        noteSuccess()
        near.start()
        connection.becomeTunnel(far)
    }

    private func tunnelEnded() {
        guard case .tunnelling = phase else { return }
        loop.metrics.openTunnels -= 1
        end()
    }

    // MARK: Time and end

    private var deadline: Int64 {
        heardAt + engine.options.pingInterval.wholeMilliseconds
            + forwarding.limits.answerMargin.wholeMilliseconds
    }

    private func nextCheck(now: Int64) -> Int64 { min(deadline, now + Self.checkInterval) }

    func deadlinePassed(now: Int64) -> Int64? {
        switch phase {
        case .receiving, .ended: return nil
        case .connecting, .asking:
            guard now < deadline, forwarding.home(sid) == target else {
                if case .asking(let connection) = phase { connection.close() }
                fail(.unreachable)
                return nil
            }
        case .tunnelling(let far):
            if far.isHeld { heardAt = now }
            guard now < deadline else {
                far.end()
                return nil
            }
        }
        return nextCheck(now: now)
    }

    /// The client is gone, or has been answered otherwise.
    func cancel() {
        if case .asking(let connection) = phase { connection.close() }
        end()
    }

    private func end() {
        if case .ended = phase { return }
        phase = .ended
        onSwitch = nil
        exchange.forward = nil
        engine.forwards.release(countedBytes)
        countedBytes = 0
        if hasPlace { engine.forwards.end() }
    }
}
