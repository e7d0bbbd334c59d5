import NIOCore
import NIOHTTP1

/// A request as it is received: what its head says, where it goes, the body so far.
///
/// Confined to the loop of its connection.
final class IncomingRequest {
    /// What is to be done once the request is whole.
    enum Route {
        case respond(HTTPResponse)
        case plain
        case openPolling(EngineMount)
        case openWebSocket(WebSocketUpgrade, EngineMount)
        case poll(ServerSession)
        case post(ServerSession)
        case probe(ServerSession, WebSocketUpgrade)
        /// Another instance has the session.
        case forward(Forward)
    }

    let head: HTTPRequestHead
    let exchange: HTTPExchange
    let target: RequestTarget
    let address: ClientAddress
    let crossOrigin: CrossOrigin
    private let limits: ServerOptions.Limits

    var route = Route.plain
    var body = ByteBuffer()
    var receivedBytes = 0
    /// An answer that was known before the request was whole.
    var earlyAnswer: HTTPResponse?
    var closesConnection: Bool

    init(_ head: HTTPRequestHead, exchange: HTTPExchange, peer: String, options: ServerOptions) {
        self.head = head
        self.exchange = exchange
        target = RequestTarget(head.uri)
        address = ClientAddress(
            peer: peer, headers: head.headers, trusted: options.trustedProxies)
        exchange.remoteAddress = address.remote
        crossOrigin = CrossOrigin(head.headers, allows: options.allowsOrigin)
        limits = options.limits
        // Behind a request that asks for another protocol the decoder reads no HTTP.
        closesConnection = !head.isKeepAlive || head.headers.contains(name: "upgrade")
    }

    var declaredLength: Int {
        head.headers.first(name: "content-length").flatMap(Int.init) ?? 0
    }

    var keepsBody: Bool {
        switch route {
        case .plain, .post, .forward: earlyAnswer == nil
        default: false
        }
    }

    var bodyLimit: Int {
        switch route {
        case .post, .forward: limits.maxPayloadBytes
        default: limits.maxPlainBodyBytes
        }
    }

    func handshake(isWebSocket: Bool) -> HandshakeRequest {
        HandshakeRequest(
            method: head.method, path: target.path, query: target.query, headers: head.headers,
            remoteAddress: address.remote, peerAddress: address.peer,
            viaTrustedProxy: address.viaTrustedProxy, isTrustedAddress: address.isTrusted,
            isSecure: address.isSecure, isWebSocket: isWebSocket)
    }

    func plain(on eventLoop: any EventLoop) -> HTTPRequest {
        HTTPRequest(
            method: head.method, path: target.path, query: target.query, headers: head.headers,
            body: body, remoteAddress: address.remote, peerAddress: address.peer,
            viaTrustedProxy: address.viaTrustedProxy, isSecure: address.isSecure,
            eventLoop: eventLoop)
    }
}
