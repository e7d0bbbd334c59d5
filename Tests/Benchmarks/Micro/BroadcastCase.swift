import JSON
import Logging
import NIOCore
import NIOPosix
import SocketIOServer

/// A broadcast to a room of 1,000 members on one event loop, over real sockets. Nobody reads at the
/// other end: what is sent in a run fits into the sockets' buffers.
enum BroadcastCase {
    static let thousandMembers = MicroCase(
        name: "broadcast-1000", unit: "event of 200 B to 1,000 members",
        iterations: (10, 50), prepare: prepare)
    private static let members = 1_000

    @Sendable private static func prepare() throws -> (Int) throws -> Void {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var options = ServerOptions()
        options.host = "127.0.0.1"
        options.port = 0
        // Valgrind is slow: neither a ping nor an answer may be overdue.
        options.pingInterval = .seconds(3_600)
        options.pingTimeout = .seconds(3_600)
        options.pongPatience = .seconds(7_200)
        let server = SocketIOServer(
            options: options, eventLoopGroup: group, logger: Logger(label: "micro"))
        server.of("/").onConnection { $0.join("room") }
        let address = try server.start().wait()
        let loop = group.next()
        let clients = try (0..<members).map { _ in try connect(to: address, on: group) }
        while server.of("/").socketCount < members { try pause(loop) }
        let edit = try JSONText(text: TextCases.edit("object-1", padding: 88))
        return { count in
            for _ in 0..<count {
                // Sent once a tick of the loop: the next task runs after it.
                try loop.submit {
                    server.of("/").to("room").emit("sync-editor-object-update", .raw(edit))
                }.wait()
                try loop.submit {}.wait()
            }
            keep(clients)
        }
    }

    /// A client that says what it has to and never reads.
    private static func connect(
        to address: SocketAddress, on group: any EventLoopGroup
    ) throws -> any Channel {
        let channel = try ClientBootstrap(group: group)
            .channelOption(.autoRead, value: false).connect(to: address).wait()
        let request =
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n"
            + "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        var bytes = ByteBuffer(string: request)
        bytes.writeBytes(FrameCases.masked(Array("40".utf8)))
        try channel.writeAndFlush(bytes).wait()
        return channel
    }

    private static func pause(_ loop: any EventLoop) throws {
        try loop.scheduleTask(in: .milliseconds(10)) {}.futureResult.wait()
    }
}
