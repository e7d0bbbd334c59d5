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
            guard let packet = try? Packet(textFrame: bytes) else {
                fail(.parseError)
                return
            }
            _ = receive(packet, bytes: bytes.count)
        case .binary(let bytes):
            _ = receive(Packet(.message, bytes, isBinary: true), bytes: bytes.count)
        case .tooLarge(let isText, let byteCount, let prefix):
            guard machine.isOpen else { return }
            machine.heard(now: loop.coarseNow)
            loop.metrics.messagesDiscarded += 1
            delegate?.engineSession(
                self, discardedMessageOf: byteCount, prefix: isText ? prefix.dropFirst() : prefix)
        case .ping, .pong, .close: machine.heard(now: loop.coarseNow)
        }
    }

    // MARK: Upgrade

    /// A WebSocket asks for this session. Nil: let it in, then call `probeOpened`.
    func probeArrived() -> RequestError? {
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
            answerProbe(OutgoingPacket(Packet(.pong, packet.data)).frame)
            if flushesPoll { answerPollWithNoop() }
        case .completeUpgrade(let flushesPoll): completeUpgrade(flushesPoll: flushesPoll)
        case .closeProbe: closeCandidate()
        }
        reschedule()
    }

    private func answerProbe(_ frame: ByteBuffer) {
        if candidate?.isOn(eventLoop) == true {
            candidate?.write([frame])
        } else {
            candidate?.writeRemotely([frame]) {}
        }
    }

    private func completeUpgrade(flushesPoll: Bool) {
        if flushesPoll { answerPollWithNoop() }
        webSocket = candidate
        candidate = nil
        loop.metrics.upgrades += 1
        countWebSocket()
        setBackedUp(false)
        frames += packets.map(\.frame)
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
