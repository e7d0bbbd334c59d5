import Cluster
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks another instance directly how it is: `GET /api/live` at its upstream address.
struct PeerProbe: Sendable {
    /// From the first packet to the whole answer.
    static let timeout: TimeAmount = .milliseconds(1_000)
    static let path = "/api/live"

    let eventLoop: any EventLoop

    /// Never fails: what goes wrong is an answer too.
    func ask(_ node: ClusterNode) -> EventLoopFuture<ProbeResult> {
        guard let (host, port) = node.address else {
            return eventLoop.makeSucceededFuture(.silent)
        }
        let answer = eventLoop.makePromise(of: ProbeResult.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(Self.timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        AnswerHandler(host: node.upstream, answer: answer))
                }
            }
        let deadline = eventLoop.scheduleTask(in: Self.timeout) { answer.succeed(.silent) }
        let connection = bootstrap.connect(host: host, port: port)
        connection.whenFailure { error in answer.succeed(Self.result(of: error)) }
        return answer.futureResult.always { _ in
            deadline.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
        }
    }

    /// Refused: nobody listens there. Anything else may be the network's fault.
    private static func result(of error: any Error) -> ProbeResult {
        if let error = error as? IOError, error.errnoCode == ECONNREFUSED { return .refused }
        if let error = error as? NIOConnectionError {
            let causes = error.connectionErrors.map(\.error)
            let allRefused = causes.allSatisfy {
                ($0 as? IOError)?.errnoCode == ECONNREFUSED
            }
            return !causes.isEmpty && allRefused ? .refused : .silent
        }
        return .silent
    }

    /// What the body of the answer says; nil for none of ours.
    static func result(of body: [UInt8]) -> ProbeResult {
        guard let json = try? JSONText(validating: body[...]) else { return .silent }
        guard let isReady = json["ready"]?.bool else { return .silent }
        return .alive(
            incarnation: json["incarnation"]?.string.flatMap { Incarnation($0) },
            isReady: isReady, isDraining: json["draining"]?.bool ?? false,
            isLinked: json["linked"]?.bool ?? false)
    }
}

/// Sends the one request and collects the one answer. Confined to its channel's loop.
private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private static let maxBodyBytes = 16 * 1024
    private let host: String
    private let answer: EventLoopPromise<ProbeResult>
    private var body: [UInt8] = []

    init(host: String, answer: EventLoopPromise<ProbeResult>) {
        self.host = host
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = ["host": host, "connection": "close"]
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: PeerProbe.path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: break
        case .body(let part):
            guard body.count + part.readableBytes <= Self.maxBodyBytes else {
                return answer.succeed(.silent)
            }
            body.append(contentsOf: part.readableBytesView)
        case .end: answer.succeed(PeerProbe.result(of: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(.silent)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.succeed(.silent)
        context.close(promise: nil)
    }
}
