import EngineIO
import NIOCore
import NIOHTTP1

/// The HTTP side of one connection: collects a request, has it answered, then takes the next.
///
///     idle ──head──▶ receiving ──end──▶ answering ──answer──▶ idle | draining
///                                           └─ WebSocket ───▶ upgraded
///
/// `draining`: the answer is out and our side is shut; what still comes is dropped until the
/// peer closes or `closeTimeout` passes, so that a reset does not swallow the answer.
final class HTTPHandler: ChannelDuplexHandler, RemovableChannelHandler, WheelTimed {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    static let encoderName = "http-encoder"
    static let decoderName = "http-decoder"

    enum Phase {
        case idle
        case receiving(IncomingRequest)
        case answering(IncomingRequest)
        case draining
        case upgraded
    }

    let engine: EngineContext
    let loop: EngineLoop
    var phase = Phase.idle
    var wheelDeadline: Int64?
    /// Valid from `handlerAdded` to `handlerRemoved`.
    var channelContext: ChannelHandlerContext?
    private var phaseBegan: Int64 = 0
    private var waiting: [HTTPServerRequestPart] = []
    private var waitingBytes = 0
    private var isReadHeld = false
    /// What of our answers the kernel had not taken when that was last looked at.
    private var unsentBytes = Int.max

    init(engine: EngineContext, loop: EngineLoop) {
        self.engine = engine
        self.loop = loop
    }

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        enter(.idle)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        channelContext = nil
        loop.unschedule(self)
    }

    private func enter(_ phase: Phase) {
        self.phase = phase
        unsentBytes = .max
        phaseBegan = loop.now
        loop.schedule(self, at: deadline)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch (phase, part) {
        case (.idle, .head(let head)): begin(head, context)
        case (.receiving(let request), .body(let bytes)): collect(bytes, request, context)
        case (.receiving(let request), .end): complete(request, context)
        case (.answering, _): hold(part, context)
        case (.idle, _), (.receiving, .head), (.draining, _), (.upgraded, _): break
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        loop.metrics.httpRequests += 1
        let exchange = HTTPExchange(self, eventLoop: loop.eventLoop)
        let request = IncomingRequest(
            head, exchange: exchange, peer: context.remoteAddress?.ipAddress ?? "",
            options: engine.options)
        request.route = route(request)
        enter(.receiving(request))
        if case .post(let session) = request.route {
            exchange.session = session
            exchange.onSession(session) { session in
                if let refusal = session.postArrived(exchange) { exchange.respond(refusal) }
            }
        }
        if request.declaredLength > request.bodyLimit {
            refuseBody(request, context)
        } else if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        }
    }

    private func collect(
        _ bytes: ByteBuffer, _ request: IncomingRequest, _ context: ChannelHandlerContext
    ) {
        request.receivedBytes += bytes.readableBytes
        guard request.receivedBytes <= request.bodyLimit else {
            refuseBody(request, context)
            return
        }
        guard request.keepsBody else { return }
        if case .forward(let forward) = request.route, !forward.holds(bytes.readableBytes) {
            loop.metrics.forwardFailures += 1
            request.closesConnection = true
            write(Forward.overload, to: request, context)
            return
        }
        request.body.writeImmutableBuffer(bytes)
    }

    private func refuseBody(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        if case .post(let session) = request.route {
            let exchange = request.exchange
            exchange.onSession(session) { $0.postRefused(exchange) }
        }
        request.closesConnection = true
        write(
            .error(
                .payloadTooLarge, code: "PAYLOAD_TOO_LARGE",
                message: "The body is longer than \(request.bodyLimit) bytes"),
            to: request, context)
    }

    private func complete(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        enter(.answering(request))
        if let answer = request.earlyAnswer {
            write(answer, to: request, context)
        } else {
            dispatch(request, context)
        }
    }

    /// A pipelined request waits for the one before it.
    private func hold(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        waiting.append(part)
        if case .body(let bytes) = part { waitingBytes += bytes.readableBytes }
        let limits = engine.options.limits
        if waiting.count > 3 * limits.maxPipelinedRequests
            || waitingBytes > limits.maxPlainBodyBytes
        {
            context.close(promise: nil)
        }
    }

    /// While our answers are backed up no more requests are read.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { resumeReading(context) }
        context.fireChannelWritabilityChanged()
    }

    func resumeReading(_ context: ChannelHandlerContext) {
        guard isReadHeld else { return }
        isReadHeld = false
        context.read()
    }

    // MARK: Answers

    func answer(_ exchange: HTTPExchange, _ response: HTTPResponse) {
        guard let context = channelContext else { return }
        switch phase {
        case .receiving(let request) where request.exchange === exchange:
            if request.earlyAnswer == nil { request.earlyAnswer = response }
        case .answering(let request) where request.exchange === exchange:
            write(response, to: request, context)
        default: break
        }
    }

    private func write(
        _ response: HTTPResponse, to request: IncomingRequest, _ context: ChannelHandlerContext
    ) {
        request.exchange.session = nil
        request.exchange.forward?.cancel()
        var headers = response.headers
        request.crossOrigin.apply(to: &headers)
        if response.status.mayHaveResponseBody {
            headers.replaceOrAdd(
                name: "content-length", value: String(response.body.readableBytes))
        }
        let closes = request.closesConnection || engine.isClosing.load(ordering: .relaxed)
        if closes {
            headers.replaceOrAdd(name: "connection", value: "close")
        } else if request.head.version != .http1_1 {
            headers.replaceOrAdd(name: "connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(
            version: .http1_1, status: response.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if response.body.readableBytes > 0, request.head.method != .HEAD,
            response.status.mayHaveResponseBody
        {
            context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        if closes { drain(context) } else { next(context) }
    }

    private func drain(_ context: ChannelHandlerContext) {
        waiting = []
        enter(.draining)
        context.close(mode: .output, promise: nil)
    }

    private func next(_ context: ChannelHandlerContext) {
        enter(.idle)
        guard !waiting.isEmpty else { return }
        let parts = waiting
        waiting = []
        waitingBytes = 0
        for part in parts { channelRead(context: context, data: NIOAny(part)) }
    }

    // MARK: Time and end

    private var deadline: Int64? {
        let limits = engine.options.limits
        let patience = limits.httpIdleTimeout.wholeMilliseconds
        switch phase {
        case .idle: return phaseBegan + patience
        case .receiving(let request):
            // 16 KiB a second is the least that an upload may run at.
            return phaseBegan + patience + Int64(request.receivedBytes / 16)
        case .draining: return phaseBegan + limits.closeTimeout.wholeMilliseconds
        case .answering, .upgraded: return nil
        }
    }

    func deadlinePassed(now: Int64) -> Int64? {
        guard let deadline else { return nil }
        if now >= deadline {
            if let later = deadlineOfSlowReader(now) { return later }
            channelContext?.close(promise: nil)
            return nil
        }
        return deadline
    }

    /// Whoever still takes something of a long answer is not idle.
    private func deadlineOfSlowReader(_ now: Int64) -> Int64? {
        guard case .idle = phase, let options = channelContext?.channel.syncOptions,
            let unsent = try? options.getOption(.bufferedWritableBytes), unsent > 0,
            unsent < unsentBytes
        else { return nil }
        unsentBytes = unsent
        phaseBegan = now
        return deadline
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ConnectionEvent, case .idle = phase { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        abort()
        context.fireChannelInactive()
    }

    private func abort() {
        let exchange: HTTPExchange
        switch phase {
        case .receiving(let request), .answering(let request): exchange = request.exchange
        case .idle, .draining, .upgraded: return
        }
        phase = .draining
        exchange.forward?.cancel()
        guard let session = exchange.session else { return }
        exchange.session = nil
        exchange.onSession(session) { $0.exchangeAborted(exchange) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            context.close(promise: nil)
            return
        }
        loop.metrics.protocolErrors += 1
        switch phase {
        case .idle: break
        case .receiving: abort()
        case .answering, .draining, .upgraded:
            context.close(promise: nil)
            return
        }
        let request = IncomingRequest(
            HTTPRequestHead(version: .http1_1, method: .GET, uri: "/"),
            exchange: HTTPExchange(self, eventLoop: loop.eventLoop), peer: "",
            options: engine.options)
        request.closesConnection = true
        write(Self.answer(to: error), to: request, context)
    }

    private static func answer(to error: HTTPParserError) -> HTTPResponse {
        error == .headerOverflow
            ? .error(
                .requestHeaderFieldsTooLarge, code: "HEADERS_TOO_LARGE",
                message: "The headers are too long")
            : .error(.badRequest, code: "BAD_REQUEST", message: "Not an HTTP request")
    }
}
