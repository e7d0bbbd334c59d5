import NIOCore
import NIOPosix

/// A TCP connection to a server on 127.0.0.1 whose bytes are taken one by one.
///
/// Used by one task at a time.
package final class WireConnection {
    /// The server closed the connection before what was asked for came.
    package struct Ended: Error {}

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    private let channel: any Channel
    private var iterator: AsyncStream<ByteBuffer>.AsyncIterator
    private var received = ByteBuffer()

    package init(port: Int) async throws {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { $0.pipeline.addHandler(Collector(continuation)) }
            .connect(host: "127.0.0.1", port: port).get()
        iterator = stream.makeAsyncIterator()
    }

    deinit {
        channel.close(promise: nil)
    }

    /// Returns when the kernel has the bytes.
    package func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    package func close() {
        channel.close(promise: nil)
    }

    package func readByte() async throws -> UInt8 {
        try await read(1)[0]
    }

    /// Exactly that many bytes.
    package func read(_ count: Int) async throws -> [UInt8] {
        while true {
            if let bytes = received.readBytes(length: count) { return bytes }
            try await more()
        }
    }

    /// The next line without its end.
    package func readLine() async throws -> String {
        while true {
            if let end = received.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let line = received.readString(length: end + 1 - received.readerIndex) ?? ""
                return String(line.filter { !$0.isNewline })
            }
            try await more()
        }
    }

    /// Returns when the server has closed the connection; drops what it still says.
    package func readEnd() async {
        while await iterator.next() != nil {}
    }

    private func more() async throws {
        guard var next = await iterator.next() else { throw Ended() }
        received.discardReadBytes()
        received.writeBuffer(&next)
    }
}
