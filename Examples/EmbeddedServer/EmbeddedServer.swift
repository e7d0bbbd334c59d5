import Foundation
import Logging
import NIOPosix
import SocketIOServer

/// A program of its own with a chat inside. What is typed at its terminal is said to everybody;
/// the end of the input ends it.
@main
struct EmbeddedServer {
    static func main() async throws {
        var options = ServerOptions()
        options.host = "127.0.0.1"
        options.port = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 3000
        // Every path but /socket.io/ is the program's own.
        options.httpHandler = { request in
            request.eventLoop.makeSucceededFuture(.text("The chat is at /socket.io/\n"))
        }
        let server = SocketIOServer(
            options: options, eventLoopGroup: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "chat"))
        server.of("/").onConnection(welcome)

        let address = try await server.start()
        print("listening on \(options.host):\(address.port ?? options.port)")
        fflush(nil)
        while let line = readLine() {
            server.of("/").emit("notice", .string(line))
        }
        try await server.shutdown().get()
    }

    /// Called on the socket's event loop, as are its handlers: they must not block.
    @Sendable static func welcome(_ socket: Socket) {
        socket.on("join") { event in
            guard let room = event.arguments.first?.string else {
                event.acknowledge?(["error": "which room?"])
                return
            }
            socket.join(room)
            socket.to(room).emit("joined", .string(socket.id))
            event.acknowledge?(["room": .string(room)])
        }
        socket.on("say") { event in
            guard let room = event.arguments[0]?.string, let text = event.arguments[1] else {
                return
            }
            socket.to(room).emit("said", .string(socket.id), .raw(text))
        }
    }
}
