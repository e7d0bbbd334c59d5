import EngineIO
import NIOCore
import WebSocket

extension ServerSession {
    /// What a WebSocket of this session has to tell; called on the session's loop.
    func webSocket(_ handler: WebSocketHandler, received event: FrameDecoder.Event) {
        if handler === webSocket {
            received(event)
        } else if handler === candidate {
            probeReceived(event)
        }
    }

    /// Part of a message arrived.
    func webSocketHeard(_ handler: WebSocketHandler) {
        if handler === webSocket { machine.heard(now: loop.coarseNow) }
    }

    /// The connection is gone; `error` says what the client did wrong, if that is why.
    func webSocketEnded(_ handler: WebSocketHandler, error: WebSocketError?) {
        if handler === candidate {
            candidate = nil
            machine.probeEnded()
        }
        guard handler === webSocket else { return }
        if error != nil { loop.metrics.protocolErrors += 1 }
        clientLeft(error.map(EngineCloseReason.init) ?? .transportClose)
    }

    private func received(_ event: FrameDecoder.Event) {
        switch event {
        case .text(let bytes):
            received(packet(text: bytes), bytes: bytes.count)
        case .binary(let bytes):
            received(packet(binary: bytes), bytes: bytes.count)
        case .tooLarge(let isText, let byteCount, let prefix):
            guard machine.isOpen else { return }
            machine.heard(now: loop.coarseNow)
            loop.metrics.messagesDiscarded += 1
            let hasType = isText || form.revision == .three
            delegate?.engineSession(
                self, discardedMessageOf: byteCount, prefix: hasType ? prefix.dropFirst() : prefix)
        case .ping, .pong, .close: machine.heard(now: loop.coarseNow)
        }
    }

    private func packet(text bytes: ArraySlice<UInt8>) -> Packet? {
        switch form.revision {
        case .three: try? Packet(revision3Text: bytes)
        case .four: try? Packet(textFrame: bytes)
        }
    }

    private func packet(binary bytes: ArraySlice<UInt8>) -> Packet? {
        switch form.revision {
        case .three: try? Packet(revision3Binary: bytes)
        case .four: Packet(.message, bytes, isBinary: true)
        }
    }

    private func received(_ packet: Packet?, bytes: Int) {
        if let packet { _ = receive(packet, bytes: bytes) } else { fail(.parseError) }
    }

    // MARK: Upgrade

    /// A WebSocket asks for this session. Nil: let it in, then call `probeOpened`.
    func probeArrived(_ exchange: HTTPExchange) -> RequestError? {
        guard admits(exchange) else { return .unknownSession }
        defer { reschedule() }
        return machine.probeArrived(now: loop.now)
    }

    /// The WebSocket that `probeArrived` let in, or nil where its connection broke meanwhile.
    func probeOpened(_ handler: WebSocketHandler?) {
        if let handler, machine.isOpen {
            candidate = handler
        } else {
            machine.probeEnded()
            handler?.close(code: CloseCode.goingAway, reason: "")
        }
    }

    private func probeReceived(_ event: FrameDecoder.Event) {
        guard case .text(let bytes) = event, let packet = try? Packet(textFrame: bytes) else {
            switch event {
            case .ping, .pong: return
            default:
                machine.probeEnded()
                closeCandidate()
                return
            }
        }
        switch machine.probeReceived(packet, now: loop.coarseNow) {
        case .answerProbe(let flushesPoll):
            answerProbe(OutgoingPacket(Packet(.pong, packet.data)).frame(form))
            if flushesPoll { answerPollWithNoop() }
        case .completeUpgrade(let flushesPoll): completeUpgrade(flushesPoll: flushesPoll)
        case .closeProbe: closeCandidate()
        }
        reschedule()
    }

    private func answerProbe(_ frame: ByteBuffer) {
        guard let candidate else { return }
        if candidate.isLocal {
            var frames = FrameQueue()
            frames.append(frame)
            _ = candidate.write(frames)
        } else {
            candidate.writeRemotely([frame]) {}
        }
    }

    private func completeUpgrade(flushesPoll: Bool) {
        if flushesPoll { answerPollWithNoop() }
        webSocket = candidate
        candidate = nil
        loop.metrics.upgrades += 1
        countWebSocket()
        setBackedUp(false)
        for packet in packets { frames.append(packet.frame(form)) }
        packets.removeAll()
        flushLater()
    }

    func closeCandidate() {
        candidate?.close(code: CloseCode.normal, reason: "")
        candidate = nil
    }
}

extension EngineCloseReason {
    init(_ error: WebSocketError) {
        self = error == .messageTooBig ? .payloadTooLarge : .transportError
    }
}
