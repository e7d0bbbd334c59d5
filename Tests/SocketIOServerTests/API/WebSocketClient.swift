import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Just enough of a WebSocket client to talk to the server over a real socket: one upgrade, then
/// masked frames out and whole frames in. It answers no pings.
final class WebSocketClient: Sendable {
    /// Text frames as they are, binaries as `<1,2>`, the close frame as `close 1000`.
    private let frames: AsyncStream<String>
    private let channel: any Channel

    private init(_ channel: any Channel, _ frames: AsyncStream<String>) {
        self.channel = channel
        self.frames = frames
    }

    static func connect(
        _ address: SocketAddress, on group: any EventLoopGroup, query: String = ""
    ) async throws -> WebSocketClient {
        let (frames, continuation) = AsyncStream.makeStream(of: String.self)
        let channel = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(FrameReader(continuation))
                }
            }
            .connect(to: address).get()
        let request =
            "GET /socket.io/?EIO=4&transport=websocket\(query) HTTP/1.1\r\nHost: test\r\n"
            + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        try await channel.writeAndFlush(ByteBuffer(string: request)).get()
        return WebSocketClient(channel, frames)
    }

    /// The next frame; nil when the connection has ended.
    func next() async -> String? {
        var iterator = frames.makeAsyncIterator()
        return await iterator.next()
    }

    func send(_ text: String) async throws { try await send(0x81, Array(text.utf8)) }

    func send(binary bytes: [UInt8]) async throws { try await send(0x82, bytes) }

    private func send(_ first: UInt8, _ payload: [UInt8]) async throws {
        var buffer = ByteBuffer(bytes: [first])
        if payload.count < 126 {
            buffer.writeInteger(UInt8(payload.count) | 0x80)
        } else {
            buffer.writeInteger(UInt8(127 | 0x80))
            buffer.writeInteger(UInt64(payload.count))
        }
        let mask: [UInt8] = [1, 2, 3, 4]
        buffer.writeBytes(mask)
        buffer.writeBytes(payload.enumerated().map { $1 ^ mask[$0 % 4] })
        try await channel.writeAndFlush(buffer).get()
    }

    func close() async throws { try await channel.close().get() }
}

/// Skips the answer to the upgrade, then cuts frames.
private final class FrameReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let frames: AsyncStream<String>.Continuation
    private var received = ByteBuffer()
    private var isUpgraded = false

    init(_ frames: AsyncStream<String>.Continuation) {
        self.frames = frames
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        received.writeBuffer(&data)
        if !isUpgraded {
            let text = String(buffer: received)
            guard let end = text.range(of: "\r\n\r\n") else { return }
            guard text.hasPrefix("HTTP/1.1 101") else {
                frames.yield(text)
                return
            }
            received.moveReaderIndex(forwardBy: text[..<end.upperBound].utf8.count)
            isUpgraded = true
        }
        while let frame = nextFrame() {
            frames.yield(frame)
            if frame.hasPrefix("close") { context.close(promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        frames.finish()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func nextFrame() -> String? {
        var buffer = received
        guard let first = buffer.readInteger(as: UInt8.self),
            let second = buffer.readInteger(as: UInt8.self)
        else { return nil }
        var length = Int(second)
        if second == 126 {
            guard let long = buffer.readInteger(as: UInt16.self) else { return nil }
            length = Int(long)
        } else if second == 127 {
            guard let long = buffer.readInteger(as: UInt64.self) else { return nil }
            length = Int(long)
        }
        guard let payload = buffer.readBytes(length: length) else { return nil }
        received = buffer
        switch first {
        case 0x81: return String(decoding: payload, as: UTF8.self)
        case 0x82: return "<" + payload.map(String.init).joined(separator: ",") + ">"
        case 0x88: return "close \(payload.prefix(2).reduce(0) { $0 << 8 | Int($1) })"
        default: return "frame \(first)"
        }
    }
}

extension String {
    /// The first place of `part`.
    fileprivate func range(of part: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) {
                return start..<index(start, offsetBy: part.count)
            }
            start = index(after: start)
        }
        return nil
    }
}
