import NIOCore

/// One end of a tunnel: what is read here is written at the other end. Both ends are on one loop.
///
/// Nothing is read while the other end is backed up or has not started. Where one end closes, the other closes behind
/// what is still to be written.
final class TunnelHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var partner: TunnelHandler?
    private var context: ChannelHandlerContext?
    /// What came before `start`.
    private var early: [ByteBuffer]? = []
    private var isReadHeld = false
    private var hasEnded = false
    private let closeTimeout: TimeAmount
    /// Called once for both ends.
    private var onEnd: (() -> Void)?
    /// Bytes came, or are read again after a time in which they were not.
    private var onActivity: (() -> Void)?

    private init(closeTimeout: TimeAmount) {
        self.closeTimeout = closeTimeout
    }

    /// - Parameters:
    ///   - closeTimeout: time for the rest to be written where one end has closed.
    ///   - onActivity: the far end was heard.
    ///   - onEnd: one end has closed.
    static func pair(
        closeTimeout: TimeAmount, onActivity: @escaping () -> Void, onEnd: @escaping () -> Void
    ) -> (near: TunnelHandler, far: TunnelHandler) {
        let near = TunnelHandler(closeTimeout: closeTimeout)
        let far = TunnelHandler(closeTimeout: closeTimeout)
        near.partner = far
        far.partner = near
        near.onEnd = onEnd
        far.onActivity = onActivity
        return (near, far)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if hasEnded { finish() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// Its channel speaks HTTP no more: what came from the other end is written.
    func start() {
        guard !hasEnded, let buffers = early else { return }
        early = nil
        for buffer in buffers { take(buffer) }
        context?.flush()
        partner?.resumeReading()
    }

    /// Whether this end takes more.
    private var takesMore: Bool { early == nil && context?.channel.isWritable ?? false }

    /// Whether the other end takes no more, so that this one is not read.
    var isHeld: Bool { isReadHeld }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        onActivity?()
        partner?.take(unwrapInboundIn(data))
    }

    private func take(_ bytes: ByteBuffer) {
        guard early == nil else {
            early?.append(bytes)
            return
        }
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        partner?.flush()
    }

    private func flush() {
        if early == nil { context?.flush() }
    }

    func read(context: ChannelHandlerContext) {
        if partner?.takesMore ?? true { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if takesMore { partner?.resumeReading() }
        context.fireChannelWritabilityChanged()
    }

    private func resumeReading() {
        guard isReadHeld else { return }
        isReadHeld = false
        onActivity?()
        context?.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ConnectionEvent { end() }
        context.fireUserInboundEventTriggered(event)
    }

    /// Closes both ends.
    func end() {
        guard !hasEnded else { return }
        let other = partner
        let told = onEnd
        hasEnded = true
        partner = nil
        early = nil
        onEnd = nil
        onActivity = nil
        finish()
        other?.end()
        told?()
    }

    private func finish() {
        guard let context, context.channel.isActive else { return }
        flush()
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: closeTimeout) { channel.close(promise: nil) }
        if isReadHeld { context.read() }
    }
}
