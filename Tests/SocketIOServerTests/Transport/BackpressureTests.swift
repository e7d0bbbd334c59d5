import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import SocketIOServer

/// Whoever does not read is not read from: neither requests nor frames.
@Suite struct BackpressureTests {
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    private func readsAreHeld(
        _ makeHandler: (EngineContext, EngineLoop) -> any ChannelHandler
    ) throws {
        let embedded = EmbeddedEventLoop()
        let engine = EngineContext(
            options: ServerOptions(), group: embedded, logger: Logger(label: "test"),
            mounts: [])
        let loop = try #require(engine.loop(of: embedded))
        let counter = ReadCounter()
        let channel = EmbeddedChannel(
            handlers: [counter, makeHandler(engine, loop)], loop: embedded)
        let before = counter.count
        channel.isWritable = false
        channel.read()
        #expect(counter.count == before)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        #expect(counter.count == before + 1)
        channel.read()
        #expect(counter.count == before + 2)
        _ = try channel.finish()
    }

    @Test func requestsWaitUntilAnswersAreRead() throws {
        try readsAreHeld { HTTPHandler(engine: $0, loop: $1) }
    }

    @Test func framesWaitUntilMessagesAreRead() throws {
        try readsAreHeld { engine, loop in
            let request = HandshakeRequest(
                method: .GET, path: "/", query: [], headers: [:], remoteAddress: "",
                peerAddress: "", isWebSocket: true)
            let mount = EngineMount(path: "/") { _ in }
            let session = ServerSession(
                .webSocket, request: request, mount: mount, loop: loop, context: engine)
            let handler = WebSocketHandler(session: session, loop: loop, context: engine)
            session.open(over: handler)
            handler.start()
            return handler
        }
    }
}
