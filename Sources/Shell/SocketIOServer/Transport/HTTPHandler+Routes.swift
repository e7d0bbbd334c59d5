import EngineIO
import NIOCore
import NIOHTTP1

extension HTTPHandler {
    /// Where a request goes, by its head.
    func route(_ request: IncomingRequest) -> IncomingRequest.Route {
        let head = request.head
        if head.method == .OPTIONS { return .respond(CrossOrigin.preflight) }
        guard let mount = engine.mount(at: request.target.path) else { return .plain }
        guard request.crossOrigin.isAllowed else { return refused(.refusal(.forbidden)) }
        let decision = engine.validator.decide(
            RequestValidator.Request(
                method: head.method == .GET ? .get : head.method == .POST ? .post : .other,
                transport: request.target.item("transport"),
                revision: request.target.item("EIO"), sid: request.target.item("sid"),
                isUpgrade: WebSocketUpgrade.isRequested(by: head),
                wantsScript: request.target.item("j") != nil))
        return route(decision, request, mount)
    }

    private func route(
        _ decision: RequestValidator.Decision, _ request: IncomingRequest, _ mount: EngineMount
    ) -> IncomingRequest.Route {
        let head = request.head
        switch decision {
        case .refuse(let error): return refused(.refusal(error))
        case .open(.polling, _): return .openPolling(mount)
        case .open(.webSocket, _):
            guard let upgrade = WebSocketUpgrade(head) else {
                return refused(WebSocketUpgrade.refusal)
            }
            return .openWebSocket(upgrade, mount)
        case .poll(let sid):
            return session(sid, at: mount).map { .poll($0) } ?? elsewhere(sid, request)
        case .post(let sid):
            return session(sid, at: mount).map { .post($0) } ?? elsewhere(sid, request)
        case .probe(let sid):
            guard let session = session(sid, at: mount) else { return elsewhere(sid, request) }
            guard let upgrade = WebSocketUpgrade(head) else {
                return refused(WebSocketUpgrade.refusal)
            }
            return .probe(session, upgrade)
        }
    }

    /// The session of that id, if it was opened at that mount.
    private func session(_ sid: String, at mount: EngineMount) -> ServerSession? {
        engine.registry[sid].flatMap { $0.mount.path == mount.path ? $0 : nil }
    }

    func refused(_ response: HTTPResponse) -> IncomingRequest.Route {
        loop.metrics.refusals += 1
        return .respond(response)
    }

    /// Does what the whole request asks for.
    func dispatch(_ request: IncomingRequest, _ context: ChannelHandlerContext) {
        let exchange = request.exchange
        switch request.route {
        case .respond(let response): exchange.respond(response)
        case .plain: servePlain(request)
        case .openPolling(let mount): openPolling(request, mount)
        case .openWebSocket(let upgrade, let mount):
            openWebSocket(request, upgrade, mount, context)
        case .poll(let session):
            exchange.session = session
            exchange.onSession(session) { $0.pollArrived(exchange) }
        case .post(let session):
            let body = request.body
            exchange.onSession(session) { $0.post(body, exchange) }
        case .probe(let session, let upgrade): openProbe(session, upgrade, request, context)
        case .forward(let forward): self.forward(request, forward)
        }
    }

    private func servePlain(_ request: IncomingRequest) {
        let exchange = request.exchange
        let logger = engine.logger
        let address = request.address
        guard
            address.isTrusted
                || engine.addresses.requestArrived(address.remote, at: loop.nowMicroseconds)
        else {
            loop.metrics.refusals += 1
            exchange.respond(
                .error(
                    .tooManyRequests, code: "RATE_LIMITED",
                    message: "Too many requests from this address, try again later",
                    headers: ["retry-after": "1"]))
            return
        }
        engine.options.httpHandler(request.plain(on: loop.eventLoop)).whenComplete { result in
            switch result {
            case .success(let response): exchange.respond(response)
            case .failure(let error):
                logger.error("HTTP handler failed", metadata: ["error": "\(error)"])
                exchange.respond(
                    .error(
                        .internalServerError, code: "INTERNAL_ERROR", message: "Internal error"))
            }
        }
    }

    // MARK: New sessions

    /// The answer to a client that is not let in; nil reserves its place.
    private func admit(_ request: HandshakeRequest) -> HTTPResponse? {
        if engine.isClosing.load(ordering: .relaxed) {
            return .refusal(
                status: .serviceUnavailable, code: RequestError.forbidden.rawValue,
                message: "Server shutting down")
        }
        if let refusal = takePlace(of: request) {
            let message =
                switch refusal {
                case .tooMany: "Too many connections from this address"
                case .tooFast: "Too many new connections from this address, try again later"
                }
            var response = HTTPResponse.refusal(
                status: .tooManyRequests, code: RequestError.forbidden.rawValue, message: message)
            response.headers.replaceOrAdd(name: "retry-after", value: "1")
            return response
        }
        guard case .refuse(let refusal) = engine.options.admission(request) else { return nil }
        givePlaceBack(of: request)
        return .refusal(refusal)
    }

    private func takePlace(of request: HandshakeRequest) -> AddressBook.Refusal? {
        guard !request.isTrustedAddress else { return nil }
        return engine.addresses.sessionOpened(request.remoteAddress, at: loop.nowMicroseconds)
    }

    /// For a session that came to nothing.
    private func givePlaceBack(of request: HandshakeRequest) {
        if !request.isTrustedAddress { engine.addresses.sessionClosed(request.remoteAddress) }
    }

    private func openPolling(_ request: IncomingRequest, _ mount: EngineMount) {
        let handshake = request.handshake(isWebSocket: false)
        if let refusal = admit(handshake) {
            loop.metrics.refusals += 1
            request.exchange.respond(refusal)
            return
        }
        let session = ServerSession(
            .polling, request: handshake, mount: mount, loop: loop, context: engine)
        session.open(over: nil)
        session.answerOpening(request.exchange)
    }

    private func openWebSocket(
        _ request: IncomingRequest, _ upgrade: WebSocketUpgrade, _ mount: EngineMount,
        _ context: ChannelHandlerContext
    ) {
        let handshake = request.handshake(isWebSocket: true)
        if let refusal = admit(handshake) {
            loop.metrics.refusals += 1
            request.exchange.respond(refusal)
            return
        }
        let session = ServerSession(
            .webSocket, request: handshake, mount: mount, loop: loop, context: engine)
        let handler = WebSocketHandler(session: session, loop: loop, context: engine)
        let headers = engine.options.handshakeHeaders(handshake)
        guard switchProtocol(upgrade, headers: headers, to: handler, context, flushes: false) else {
            givePlaceBack(of: handshake)
            return
        }
        session.open(over: handler)
        handler.start()
    }

    private func openProbe(
        _ session: ServerSession, _ upgrade: WebSocketUpgrade, _ request: IncomingRequest,
        _ context: ChannelHandlerContext
    ) {
        let exchange = request.exchange
        let box = NIOLoopBound((handler: self, request: request), eventLoop: loop.eventLoop)
        exchange.onSession(session) { session in
            if let error = session.probeArrived(exchange) {
                exchange.respond(.refusal(error))
                return
            }
            exchange.onLoop {
                let (handler, request) = box.value
                handler.probeAdmitted(session, upgrade, request)
            }
        }
    }

    private func probeAdmitted(
        _ session: ServerSession, _ upgrade: WebSocketUpgrade, _ request: IncomingRequest
    ) {
        let exchange = request.exchange
        guard let context = channelContext, case .answering(let current) = phase,
            current === request
        else {
            exchange.onSession(session) { $0.probeOpened(nil) }
            return
        }
        let handler = WebSocketHandler(session: session, loop: loop, context: engine)
        let didSwitch = switchProtocol(upgrade, headers: [], to: handler, context)
        exchange.onSession(session) { $0.probeOpened(didSwitch ? handler : nil) }
        if didSwitch { handler.start() }
    }

    /// Answers 101 and puts a WebSocket, or the tunnel to one, in the place of HTTP: before the first frame is
    /// written, and the decoder last, since it hands on what it had read too far.
    ///
    /// - Parameter flushes: false where a first frame follows in this tick: both are one system call.
    func switchProtocol(
        _ upgrade: WebSocketUpgrade, headers: [(String, String)], to handler: any ChannelHandler,
        _ context: ChannelHandlerContext, flushes: Bool = true
    ) -> Bool {
        let pipeline = context.pipeline.syncOperations
        guard context.channel.isActive,
            let encoder = try? pipeline.context(name: Self.encoderName),
            let decoder = try? pipeline.context(name: Self.decoderName),
            (try? pipeline.addHandler(handler, position: .after(self))) != nil
        else {
            context.close(promise: nil)
            return false
        }
        phase = .upgraded
        pipeline.removeHandler(context: encoder, promise: nil)
        context.write(NIOAny(upgrade.response(headers: headers)), promise: nil)
        if flushes { context.flush() }
        resumeReading(context)
        pipeline.removeHandler(context: context, promise: nil)
        pipeline.removeHandler(context: decoder, promise: nil)
        return true
    }
}
