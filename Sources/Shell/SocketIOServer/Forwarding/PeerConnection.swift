import NIOCore
import NIOHTTP1

/// One connection to another instance; carries one forwarded request at a time.
///
///     idle ──ask──▶ asking ──answer──▶ idle | closed
///       ▲             └─── 101 ──────▶ tunnelling
///       └── kept in the pool, for `idleTimeout`
///
/// Confined to the loop of its channel.
final class PeerConnection: ChannelInboundHandler, RemovableChannelHandler, WheelTimed {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private enum State {
        case idle(since: Int64)
        case asking(Forward)
        case tunnelling
        case closed
    }

    private static let encoderName = "peer-encoder"
    private static let decoderName = "peer-decoder"

    let target: ForwardTarget
    let limits: SessionForwarding.Limits
    var wheelDeadline: Int64?
    private let pool: PeerPool
    private let loop: EngineLoop
    private var state: State
    /// What has come of the answer.
    private var answerHead: HTTPResponseHead?
    private var answerBody = ByteBuffer()
    private var context: ChannelHandlerContext?

    init(
        to target: ForwardTarget, pool: PeerPool, loop: EngineLoop,
        limits: SessionForwarding.Limits
    ) {
        self.target = target
        self.pool = pool
        self.loop = loop
        self.limits = limits
        state = .idle(since: loop.now)
    }

    func install(_ channel: any Channel) throws {
        let pipeline = channel.pipeline.syncOperations
        let decoder = HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)
        try pipeline.addHandler(HTTPRequestEncoder(), name: Self.encoderName)
        try pipeline.addHandler(ByteToMessageHandler(decoder), name: Self.decoderName)
        try pipeline.addHandler(self)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Asking

    /// Sends a request; `forward` is told of the answer, or that there is none.
    func ask(_ forward: Forward, _ head: HTTPRequestHead, _ body: ByteBuffer) {
        guard case .idle = state, let context else {
            forward.peerFailed()
            return
        }
        state = .asking(forward)
        answerHead = nil
        answerBody = ByteBuffer()
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if body.readableBytes > 0 {
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func close() {
        state = .closed
        context?.close(promise: nil)
    }

    /// Nothing was asked, or the answer is whole: the next request may have the connection.
    func release() {
        state = .idle(since: loop.now)
        guard let context, context.channel.isActive, pool.keep(self) else {
            close()
            return
        }
        loop.schedule(self, at: idleDeadline(since: loop.now))
    }

    private func idleDeadline(since start: Int64) -> Int64 {
        start + limits.idleTimeout.wholeMilliseconds
    }

    func deadlinePassed(now: Int64) -> Int64? {
        guard case .idle(let since) = state else { return nil }
        let deadline = idleDeadline(since: since)
        if now < deadline { return deadline }
        pool.forget(self)
        close()
        return nil
    }

    // MARK: Answers

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .asking(let forward) = state else {
            // Bytes that nobody asked for.
            end()
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head): answerHead = head
        case .body(var bytes):
            guard forward.holds(bytes.readableBytes) else {
                close()
                forward.peerFailed(.tooMuch)
                return
            }
            answerBody.writeBuffer(&bytes)
        case .end:
            guard let head = answerHead else { return }
            completed(head, forward)
        }
    }

    private func completed(_ head: HTTPResponseHead, _ forward: Forward) {
        guard head.status != .switchingProtocols else {
            state = .tunnelling
            forward.peerSwitched(self)
            return
        }
        let body = answerBody
        answerBody = ByteBuffer()
        if head.isKeepAlive { release() } else { close() }
        forward.answered(head, body)
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end()
    }

    /// The connection is of no more use.
    private func end() {
        let last = state
        close()
        switch last {
        case .idle: pool.forget(self)
        case .asking(let forward): forward.peerFailed()
        case .tunnelling, .closed: break
        }
    }

    // MARK: Tunnel

    /// The other instance has answered 101: from now on bytes go to and from `tunnel`.
    func becomeTunnel(_ tunnel: TunnelHandler) {
        guard let context, context.channel.isActive else {
            close()
            tunnel.end()
            return
        }
        let pipeline = context.pipeline.syncOperations
        guard let encoder = try? pipeline.context(name: Self.encoderName),
            let decoder = try? pipeline.context(name: Self.decoderName),
            (try? pipeline.addHandler(tunnel, position: .after(self))) != nil
        else {
            close()
            tunnel.end()
            return
        }
        pipeline.removeHandler(context: encoder, promise: nil)
        pipeline.removeHandler(context: context, promise: nil)
        // The decoder watches what is written and knows requests only: nothing before it is gone.
        let isGone = context.eventLoop.makePromise(of: Void.self)
        let box = NIOLoopBound(tunnel, eventLoop: context.eventLoop)
        isGone.futureResult.whenComplete { _ in box.value.start() }
        pipeline.removeHandler(context: decoder, promise: isGone)
    }
}
