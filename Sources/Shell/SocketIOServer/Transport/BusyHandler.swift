import NIOCore

/// Answers a connection beyond a limit without reading a request, then closes it.
final class BusyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Reason: String {
        /// `maxConnections`.
        case serverIsFull = "503 Service Unavailable"
        /// `maxConnectionsPerAddress`.
        case addressIsFull = "429 Too Many Requests"
    }

    private let answer: String

    init(_ reason: Reason) {
        answer =
            "HTTP/1.1 \(reason.rawValue)\r\ncontent-length: 0\r\nretry-after: 1\r\n"
            + "connection: close\r\n\r\n"
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
