import NIOCore
import WebSocket

/// The WebSocket side of one connection: frames in to a session, bytes of frames out.
///
/// Unchecked because the compiler cannot see it: everything mutable is touched on the loop of
/// the connection only; methods that a session calls hop there first.
final class WebSocketHandler: ChannelDuplexHandler, WheelTimed, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let session: ServerSession
    private let loop: EngineLoop
    /// Whether it is on its session's loop.
    let isLocal: Bool
    private let closeTimeout: Int64

    var wheelDeadline: Int64?
    private var context: ChannelHandlerContext?
    private var decoder: FrameDecoder
    private var closing = CloseHandshake()
    /// Frames that arrived before the session knew this handler.
    private var early: [ByteBuffer]? = []
    private var isReadHeld = false
    private var output: DirectOutput?
    private var hasEnded = false

    init(session: ServerSession, loop: EngineLoop, context: EngineContext) {
        self.session = session
        self.loop = loop
        isLocal = session.eventLoop === loop.eventLoop
        closeTimeout = context.options.limits.closeTimeout.wholeMilliseconds
        decoder = FrameDecoder(limits: context.frameLimits)
    }

    /// The session knows the handler: what came meanwhile is read.
    func start() {
        let buffers = early ?? []
        early = nil
        for buffer in buffers { decode(buffer) }
    }

    // MARK: Inbound

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        output = DirectOutput(context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        output = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        if early != nil { early?.append(buffer) } else { decode(buffer) }
    }

    private func decode(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes { bytes in
            var position = 0
            while !hasEnded {
                do throws(WebSocketError) {
                    guard let event = try decoder.next(in: bytes, at: &position) else { break }
                    received(event)
                } catch {
                    failed(error)
                }
            }
        }
        if decoder.isMidMessage { onSession { $0.webSocketHeard($1) } }
    }

    private func received(_ event: FrameDecoder.Event) {
        switch event {
        case .ping(let payload):
            if closing.isOpen { writeControl(.pong, Array(payload)) }
        case .close(let code, _): perform(closing.receivedClose(code: code))
        default: break
        }
        if case .close = event {
            ended(nil)
        } else if isLocal {
            session.webSocket(self, received: event)
        } else {
            onSession { $0.webSocket($1, received: event) }
        }
    }

    private func failed(_ error: WebSocketError) {
        perform(closing.failed(code: error.closeCode))
        ended(error)
    }

    /// Tells the session, once, that nothing more comes.
    private func ended(_ error: WebSocketError?) {
        guard !hasEnded else { return }
        hasEnded = true
        onSession { $0.webSocketEnded($1, error: error) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended(nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func onSession(
        _ body: @escaping @Sendable (ServerSession, WebSocketHandler) -> Void
    ) {
        if isLocal {
            body(session, self)
        } else {
            session.eventLoop.execute { body(self.session, self) }
        }
    }

    // MARK: Backpressure

    /// While our writes are backed up nothing is read: who does not read is not served.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable || !closing.isOpen {
            context.read()
        } else {
            isReadHeld = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        onSession { $0.webSocketWritability($1, isWritable: isWritable) }
        if isWritable { resumeReading(context) }
        context.fireChannelWritabilityChanged()
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        guard isReadHeld else { return }
        isReadHeld = false
        context.read()
    }

    /// Whether more waits for the kernel than the high-water mark; on the handler's loop.
    var isBackedUp: Bool { context?.channel.isWritable == false }

    /// Bytes that wait for the kernel; on the handler's loop.
    var backlogBytes: Int {
        let option = ChannelOptions.bufferedWritableBytes
        return (try? context?.channel.syncOptions?.getOption(option)) ?? 0
    }

    // MARK: Outbound

    /// Writes whole frames; on the handler's loop. Returns whether the kernel has taken all.
    func write(_ frames: FrameQueue) -> Bool {
        guard closing.isOpen else { return true }
        var taken = 0
        if frames.isOnePart {
            frames.forEach { taken = output?.send($0) ?? 0 }
        } else if frames.byteCount <= loop.scratch.count {
            taken = output?.send(loop.gather(frames)) ?? 0
        }
        if taken == frames.byteCount { return true }
        write(frames.buffers(from: taken))
        return false
    }

    /// The descriptor, if frames can go straight to it; on the handler's loop.
    var freeDescriptor: NIOBSDSocket.Handle? { closing.isOpen ? output?.freeDescriptor : nil }

    private func useChannel() {
        output?.channelIsUsed()
        if isLocal { session.channelIsUsed(by: self) }
    }

    /// Writes whole frames through the channel.
    ///
    /// - Parameter promise: kept when the kernel has taken them, or the connection is gone.
    private func write(_ frames: [ByteBuffer], promise: EventLoopPromise<Void>? = nil) {
        guard let context, closing.isOpen, let last = frames.last else {
            promise?.succeed()
            return
        }
        useChannel()
        for frame in frames.dropLast() {
            context.write(wrapOutboundOut(frame), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(last), promise: promise)
    }

    /// Like `write`, from a session on another loop.
    ///
    /// - Parameter completion: called on the session's loop.
    func writeRemotely(_ frames: [ByteBuffer], completion: @escaping @Sendable () -> Void) {
        loop.eventLoop.execute {
            let promise = self.loop.eventLoop.makePromise(of: Void.self)
            promise.futureResult.hop(to: self.session.eventLoop).whenComplete { _ in completion() }
            self.write(frames, promise: promise)
        }
    }

    /// Begins to close: our close frame behind all that is written, then the peer's, or
    /// `closeTimeout`. From the session's loop.
    func close(code: UInt16, reason: String) {
        onLoop { self.perform(self.closing.closeRequested(code: code), reason: reason) }
    }

    private func perform(_ action: CloseHandshake.Action, reason: String = "") {
        switch action {
        case .nothing: return
        case .disconnect: context?.close(promise: nil)
        case .sendClose(let code):
            writeControl(.close, CloseCode.payload(code, reason: reason))
            beginLastWait()
        case .sendCloseAndDisconnect(let code):
            writeControl(.close, CloseCode.payload(code, reason: reason))
            // Not a full close: with bytes unread that would be a reset, which may overtake
            // the close frame.
            context?.close(mode: .output, promise: nil)
            beginLastWait()
        }
    }

    private func beginLastWait() {
        loop.schedule(self, at: loop.now + closeTimeout)
        if let context { resumeReading(context) }
    }

    func deadlinePassed(now: Int64) -> Int64? {
        _ = closing.timedOut()
        context?.close(promise: nil)
        return nil
    }

    private func writeControl(_ opcode: Opcode, _ payload: [UInt8]) {
        guard let context else { return }
        useChannel()
        var frame = context.channel.allocator.buffer(capacity: payload.count + 2)
        frame.writeFrameHeader(opcode, payload: payload.count)
        frame.writeBytes(payload)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if isLocal { body() } else { loop.eventLoop.execute(body) }
    }
}
