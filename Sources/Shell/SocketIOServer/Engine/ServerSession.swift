import EngineIO
import NIOCore
import WebSocket

/// A session of an `EngineServer`: drives `EngineSessionStateMachine`, queues what goes out.
///
/// Unchecked because the compiler cannot see it: everything mutable is touched on `eventLoop`
/// only. A WebSocket that came by an upgrade, and each polling request, may live on other loops;
/// they hop here.
final class ServerSession: EngineSession, WheelTimed, @unchecked Sendable {
    let id: String
    let request: HandshakeRequest
    let form: WireForm
    let loop: EngineLoop
    let context: EngineContext
    let mount: EngineMount

    var delegate: (any EngineSessionDelegate)?
    var wheelDeadline: Int64?

    var machine: EngineSessionStateMachine
    /// The WebSocket that carries the session, and the one that may by an upgrade.
    var webSocket: WebSocketHandler?
    var candidate: WebSocketHandler?
    /// The polling request that waits for something to say.
    var waitingPoll: HTTPExchange?
    var postingExchange: HTTPExchange?

    /// Queued since the last flush: frames for a WebSocket, or packets for a poll.
    var frames = FrameQueue()
    var packets: [OutgoingPacket] = []
    var queuedBytes = 0
    /// Handed to the WebSocket and not yet taken by the kernel, as of the last look.
    var backlogBytes = 0
    /// Handed to the transport since the session began.
    private var handedBytes = 0
    private var pace: ReadingPace
    /// The biggest message of what is queued: it alone may exceed the limit.
    private var largestQueued = 0
    private var isDirty = false
    private(set) var isBackedUp = false
    private var seenStalls: Int
    private var countsAsWebSocket = false
    private var hasEnded = false
    private var roundTrips = RoundTrips()
    /// The room whose broadcasts it shares with others, and its place there.
    private(set) var audience: RoomAudience?
    private(set) var listenerIndex = 0

    var eventLoop: any EventLoop { loop.eventLoop }
    var limits: ServerOptions.Limits { context.options.limits }
    var transportName: String { machine.transport.rawValue }
    var isOpen: Bool { machine.isOpen }

    init(
        _ transport: TransportKind, request: HandshakeRequest, mount: EngineMount,
        loop: EngineLoop, context: EngineContext
    ) {
        id = SessionID.make(prefix: context.options.sessionIDPrefix)
        self.request = request
        form = request.wireForm
        self.loop = loop
        self.context = context
        self.mount = mount
        machine = EngineSessionStateMachine(
            transport, revision: form.revision, settings: context.sessionSettings, now: loop.now)
        seenStalls = loop.stallCount
        let limits = context.options.limits
        pace = ReadingPace(
            period: limits.slowReaderTime.wholeMilliseconds, bytes: limits.slowReaderBytes)
    }

    /// Registers the session and shows it to the layer above, the open packet queued before
    /// anything that layer sends.
    func open(over webSocket: WebSocketHandler?) {
        self.webSocket = webSocket
        loop.metrics.sessions += 1
        loop.metrics.openSessions += 1
        context.registry.insert(self)
        if webSocket != nil { countWebSocket() }
        enqueue(context.openPacket(sid: id, over: machine.transport))
        reschedule()
        mount.onSession(self)
    }

    func countWebSocket() {
        countsAsWebSocket = true
        loop.metrics.openWebSocketSessions += 1
    }

    func reschedule() {
        loop.schedule(self, at: machine.nextDeadline)
    }

    // MARK: Sending

    func send(_ message: EngineMessage) {
        eventLoop.preconditionInEventLoop()
        catchUp()
        guard machine.isOpen, admit(message.byteCount) else { return }
        loop.metrics.messagesSent += 1
        enqueue(OutgoingPacket(message))
    }

    func send(_ broadcast: PreparedMessage) {
        eventLoop.preconditionInEventLoop()
        catchUp()
        guard machine.isOpen, admit(broadcast.byteCount) else { return }
        loop.metrics.messagesSent += 1
        guard machine.transport == .webSocket else {
            enqueue(.text(.message, broadcast.text))
            for attachment in broadcast.attachments { enqueue(.binary(attachment)) }
            return
        }
        let prepared = broadcast.frames(form)
        frames.append(prepared)
        queuedBytes += prepared.readableBytes
        flushLater()
    }

    /// As `send`, of a broadcast that other sessions of the loop send too.
    func send(_ delivery: LoopDelivery, withOffset: Bool) {
        guard machine.isOpen else { return }
        let count = delivery.byteCount(withOffset)
        guard machine.transport == .webSocket, form == .four,
            count <= FrameBatch.longestFrames
        else { return send(delivery.message(withOffset)) }
        catchUp()
        guard admit(count) else { return }
        loop.metrics.messagesSent += 1
        delivery.append(to: &frames, withOffset)
        queuedBytes += count
        flushLater()
    }

    func enqueue(_ packet: Packet) {
        catchUp()
        enqueue(OutgoingPacket(packet))
    }

    func afterRoundTrip(_ body: @escaping @Sendable () -> Void) {
        eventLoop.preconditionInEventLoop()
        guard machine.isOpen else { return }
        guard form.revision == .four else { return body() }
        ping()
        roundTrips.afterAnswer(body)
    }

    private func answered() {
        for body in roundTrips.answered() { body() }
    }

    private func ping() {
        enqueue(Packet(.ping))
        roundTrips.pinged()
    }

    private func enqueue(_ packet: OutgoingPacket) {
        if machine.transport == .webSocket {
            frames.append(packet.frame(form))
        } else {
            packets.append(packet)
        }
        queuedBytes += packet.byteCount
        flushLater()
    }

    func flushLater() {
        guard !isDirty else { return }
        isDirty = true
        loop.flushLater(self)
    }

    /// Called by the loop at the end of its tick.
    func flush() {
        catchUp()
        isDirty = false
        guard machine.isOpen else { return }
        if machine.transport == .polling {
            if !packets.isEmpty, machine.takePoll() { answerPoll() }
            setBackedUp(queuedBytes > limits.highWaterBytes)
        } else {
            flushFrames()
            if frames.isEmpty { audience?.flushed(listenerIndex) }
        }
    }

    func flushFrames() {
        guard let webSocket, !frames.isEmpty else { return }
        let count = queuedBytes
        queuedBytes = 0
        handedBytes += count
        loop.metrics.bytesSent += count
        // While it is written the layer above may be told that the session is backed up, and queue.
        var written = FrameQueue()
        swap(&written, &frames)
        if webSocket.isLocal {
            let isTaken = webSocket.write(written)
            backlogBytes = !isTaken && webSocket.isBackedUp ? webSocket.backlogBytes : 0
            if !isBackedUp { largestQueued = 0 }
        } else {
            backlogBytes += count
            webSocket.writeRemotely(written.buffers()) { self.remoteWriteEnded(count) }
        }
        guard frames.isEmpty else { return }
        written.removeAll()
        swap(&written, &frames)
    }

    private func remoteWriteEnded(_ count: Int) {
        backlogBytes -= count
        if backlogBytes == 0, queuedBytes == 0 { largestQueued = 0 }
    }

    // MARK: Listening

    /// The descriptor that what all of a room are sent can go straight to; nil while the session
    /// must be served by itself.
    var descriptorOfListener: NIOBSDSocket.Handle? {
        guard audience == nil, machine.isOpen, machine.transport == .webSocket, form == .four,
            !isBackedUp, let webSocket, webSocket.isLocal
        else { return nil }
        return webSocket.freeDescriptor
    }

    func listen(to audience: RoomAudience, at index: Int) {
        self.audience = audience
        listenerIndex = index
    }

    /// Queues what it has not had yet of what all listeners are sent.
    private func catchUp() { audience?.catchUp(listenerIndex) }

    /// What all listeners are sent is for this session to send.
    ///
    /// - Parameter isBegun: the kernel has the beginning of a frame. The rest goes to the channel at
    ///   once, whatever the limit: nothing else may come between.
    func take(_ batch: FrameBatch, _ range: Range<Int>, messages: Int, isBegun: Bool = false) {
        guard machine.isOpen,
            isBegun || admit(range.count, largest: FrameBatch.longestFrames)
        else { return }
        loop.metrics.messagesSent += messages
        frames.append(batch, range)
        queuedBytes += range.count
        if isBegun { flush() } else { flushLater() }
    }

    /// Something of this session waits in the channel, and goes first.
    func channelIsUsed(by handler: WebSocketHandler) {
        if handler === webSocket { leaveAudience() }
    }

    func leaveAudience() {
        catchUp()
        dropAudience()
    }

    private func dropAudience() {
        guard let audience else { return }
        self.audience = nil
        audience.leave(listenerIndex)
    }

    // MARK: Bounds

    var bufferedBytes: Int {
        if let webSocket, webSocket.isLocal { backlogBytes = webSocket.backlogBytes }
        return queuedBytes + backlogBytes + (audience?.pendingBytes(listenerIndex) ?? 0)
    }

    /// Whether `count` more bytes may be queued; closes the session if not.
    ///
    /// - Parameter largest: the biggest message among them, if they are many.
    private func admit(_ count: Int, largest: Int? = nil) -> Bool {
        largestQueued = max(largestQueued, largest ?? count)
        let limit = limits.maxBufferedBytesPerSession
        if queuedBytes + backlogBytes + count - largestQueued <= limit { return true }
        let exact = bufferedBytes
        if exact < largestQueued { largestQueued = max(exact, largest ?? count) }
        if exact + count - largestQueued <= limit { return true }
        close(.tooSlow)
        return false
    }

    /// From the WebSocket, when the kernel does or does not take what is written.
    func webSocketWritability(_ handler: WebSocketHandler, isWritable: Bool) {
        guard handler === webSocket else { return }
        setBackedUp(!isWritable)
    }

    func setBackedUp(_ value: Bool) {
        guard value != isBackedUp else { return }
        isBackedUp = value
        if value { leaveAudience() }
        loop.setBackedUp(self, value)
        pace.reset()
        guard machine.isOpen else { return }
        if value {
            delegate?.engineSessionBackedUp(self)
            return
        }
        backlogBytes = webSocket?.isLocal == true ? 0 : backlogBytes
        largestQueued = 0
        delegate?.engineSessionBecameWritable(self)
    }

    /// A poll took bytes of the queue.
    func handedToPoll(_ count: Int) { handedBytes += count }

    /// Closes the session if its client takes less than it must of what waits for it. Called on
    /// each turn of the wheel while the session is backed up.
    func checkPace(now: Int64) {
        if pace.isTooSlow(taken: handedBytes - backlogBytes, now: now) { close(.tooSlow) }
    }

    // MARK: Receiving

    /// A packet over the transport that carries the session. False once the session has ended.
    func receive(_ packet: Packet, bytes: Int) -> Bool {
        guard machine.isOpen else { return false }
        switch machine.received(packet.type, now: loop.coarseNow) {
        case .ignore: if packet.type == .pong { answered() }
        case .answerPing: enqueue(Packet(.pong, packet.data))
        case .deliver:
            loop.metrics.messagesReceived += 1
            loop.metrics.bytesReceived += bytes
            if packet.isBinary {
                delegate?.engineSession(self, receivedBinary: packet.data)
            } else {
                delegate?.engineSession(self, received: packet.data)
            }
        case .close(.transportClose): clientLeft(.transportClose)
        case .close(let cause): fail(EngineCloseReason(cause))
        }
        return machine.isOpen
    }

    // MARK: Time

    func deadlinePassed(now: Int64) -> Int64? {
        if seenStalls != loop.stallCount {
            seenStalls = loop.stallCount
            machine.heard(now: now)
        }
        if isBackedUp { noteProgress(now: now) }
        let actions = machine.timePassed(now: now)
        if actions.closeProbe { closeCandidate() }
        if actions.answerPollWithNoop { answerPollWithNoop() }
        if actions.forget { end() }
        if let cause = actions.close {
            if isBackedUp {
                close(.tooSlow)
            } else {
                loop.metrics.pingTimeouts += 1
                fail(EngineCloseReason(cause))
            }
        } else if actions.sendPing {
            ping()
        }
        return machine.nextDeadline
    }

    /// A client that slowly takes a big message is alive, though its pongs are not read while
    /// our writes are backed up.
    private func noteProgress(now: Int64) {
        let before = queuedBytes + backlogBytes
        if bufferedBytes < before { machine.heard(now: now) }
    }

    // MARK: End

    func close(_ reason: EngineCloseReason) {
        eventLoop.preconditionInEventLoop()
        close(reason, lingers: true)
    }

    /// Ends the session because the client broke a rule or fell silent.
    func fail(_ reason: EngineCloseReason) {
        if reason != .pingTimeout { loop.metrics.protocolErrors += 1 }
        close(reason, lingers: false)
    }

    private func close(_ reason: EngineCloseReason, lingers: Bool) {
        guard machine.isOpen else { return }
        if reason == .tooSlow {
            dropAudience()
            loop.metrics.slowClients += 1
            dropQueue()
        }
        catchUp()
        let action = machine.closeRequested(lingers: lingers, now: loop.now)
        switch action {
        case .nothing: return
        case .closeWebSocket:
            flushFrames()
            webSocket?.close(code: reason.webSocketCode, reason: reason.name)
            end()
        case .answerPollWithClose(let closesProbe):
            packets.append(OutgoingPacket(Packet(.close)))
            answerPollWithEverything()
            if closesProbe { closeCandidate() }
            end()
        case .awaitPoll(let closesProbe):
            packets.append(OutgoingPacket(Packet(.close)))
            if closesProbe { closeCandidate() }
            reschedule()
        case .forget(let closesProbe):
            if closesProbe { closeCandidate() }
            end()
        }
        notifyClosed(reason)
    }

    /// The client closed the session or its transport is gone.
    func clientLeft(_ reason: EngineCloseReason) {
        guard case .end(let flushesPoll, let closesProbe) = machine.clientGone() else {
            end()
            return
        }
        if flushesPoll { answerPollWithNoop() }
        if closesProbe { closeCandidate() }
        webSocket?.close(code: reason.webSocketCode, reason: reason.name)
        end()
        notifyClosed(reason)
    }

    /// Told at the end of the tick: whoever closes a session while walking over his own tables
    /// is not called back in the middle of it.
    private func notifyClosed(_ reason: EngineCloseReason) {
        guard let delegate else { return }
        self.delegate = nil
        eventLoop.execute { delegate.engineSession(self, closed: reason) }
    }

    /// Lets go of everything that the session holds.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        dropAudience()
        roundTrips = RoundTrips()
        loop.unschedule(self)
        loop.metrics.openSessions -= 1
        if countsAsWebSocket { loop.metrics.openWebSocketSessions -= 1 }
        if context.registry.remove(self), !request.isTrustedAddress {
            context.addresses.sessionClosed(request.remoteAddress)
        }
        setBackedUp(false)
        dropQueue()
        webSocket = nil
        closeCandidate()
        waitingPoll = nil
        postingExchange = nil
    }

    private func dropQueue() {
        frames.removeAll()
        packets = []
        queuedBytes = 0
    }
}

extension EngineCloseReason {
    init(_ cause: EngineSessionStateMachine.CloseCause) {
        switch cause {
        case .transportClose: self = .transportClose
        case .transportError: self = .transportError
        case .pingTimeout: self = .pingTimeout
        case .parseError: self = .parseError
        }
    }
}
