import NIOCore
import NIOEmbedded
import Testing

@testable import SocketIOServer

/// The two ends of a tunnel, each in a channel of its own.
@Suite struct TunnelTests {
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    /// What the tunnel has told.
    private final class Told {
        var activity = 0
        var ends = 0
    }

    private struct Bench {
        let loop = EmbeddedEventLoop()
        let told = Told()
        let near: TunnelHandler
        let far: TunnelHandler
        let nearReads = ReadCounter()
        let farReads = ReadCounter()
        let nearChannel: EmbeddedChannel
        let farChannel: EmbeddedChannel

        init() throws {
            let told = told
            (near, far) = TunnelHandler.pair(
                closeTimeout: .seconds(3), onActivity: { told.activity += 1 },
                onEnd: { told.ends += 1 })
            nearChannel = EmbeddedChannel(handlers: [nearReads, near], loop: loop)
            farChannel = EmbeddedChannel(handlers: [farReads, far], loop: loop)
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
            try nearChannel.connect(to: address).wait()
            try farChannel.connect(to: address).wait()
        }

        func start() {
            near.start()
            far.start()
        }
    }

    @Test func bytesGoBothWays() throws {
        let bench = try Bench()
        bench.start()
        try bench.nearChannel.writeInbound("there".buffer)
        try bench.farChannel.writeInbound("back".buffer)
        #expect(try bench.farChannel.readOutbound(as: ByteBuffer.self) == "there".buffer)
        #expect(try bench.nearChannel.readOutbound(as: ByteBuffer.self) == "back".buffer)
        #expect(bench.told.activity == 1, "of the far end only")
    }

    @Test func whatComesBeforeAnEndHasStartedIsKept() throws {
        let bench = try Bench()
        bench.near.start()
        try bench.nearChannel.writeInbound("early".buffer)
        #expect(try bench.farChannel.readOutbound(as: ByteBuffer.self) == nil)
        let before = bench.nearReads.count
        bench.nearChannel.read()
        #expect(bench.nearReads.count == before, "and no more is read")
        bench.far.start()
        #expect(try bench.farChannel.readOutbound(as: ByteBuffer.self) == "early".buffer)
        #expect(bench.nearReads.count == before + 1)
    }

    @Test func whatTheOtherEndCannotTakeIsNotRead() throws {
        let bench = try Bench()
        bench.start()
        let before = bench.farReads.count
        bench.nearChannel.isWritable = false
        bench.farChannel.read()
        #expect(bench.farReads.count == before)
        #expect(bench.far.isHeld)
        bench.nearChannel.isWritable = true
        bench.nearChannel.pipeline.fireChannelWritabilityChanged()
        #expect(bench.farReads.count == before + 1)
        #expect(!bench.far.isHeld)
        bench.farChannel.read()
        #expect(bench.farReads.count == before + 2)
    }

    @Test(arguments: [true, false]) func whereOneEndClosesTheOtherDoes(isNear: Bool) throws {
        let bench = try Bench()
        bench.start()
        let closing = isNear ? bench.nearChannel : bench.farChannel
        let other = isNear ? bench.farChannel : bench.nearChannel
        try closing.writeInbound("last words".buffer)
        try closing.close().wait()
        #expect(try other.readOutbound(as: ByteBuffer.self) == "last words".buffer)
        bench.loop.advanceTime(by: .seconds(4))
        #expect(!other.isActive)
        #expect(bench.told.ends == 1)
    }

    @Test func anEndThatIsAddedTooLateIsClosed() throws {
        let told = Told()
        let (near, far) = TunnelHandler.pair(
            closeTimeout: .seconds(3), onActivity: {}, onEnd: { told.ends += 1 })
        near.end()
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try channel.pipeline.syncOperations.addHandler(far)
        channel.embeddedEventLoop.advanceTime(by: .seconds(4))
        #expect(!channel.isActive)
        #expect(told.ends == 1)
    }
}
