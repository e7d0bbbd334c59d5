import ArgumentParser
import Foundation
import Logging
import NIOPosix
import UnixSignals

/// The program: `protocol-suite-server [--host HOST] [--port N]`.
@main
struct ProtocolSuiteServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "protocol-suite-server",
        abstract:
            "The server that the official Engine.IO and Socket.IO test suites are run against.",
        discussion: """
            /engine.io/ is a bare Engine.IO server that sends every message back. /socket.io/ is a \
            Socket.IO server with the namespaces / and /custom: each emits "auth" with the \
            client's auth on connection, answers "message" with "message-back" and acknowledges \
            "message-with-ack", with the same arguments.

            Prints one line when it listens; ends with 0 on SIGTERM or SIGINT, and with 1 where \
            it cannot listen.
            """)

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 lets the system choose one, which the line names.")
    var port: UInt16 = 3000

    func run() async throws {
        // Before the line is printed: whoever reads it may end us at once.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        // One loop, as in Node: requests of several connections are handled in the order in
        // which they arrive, which the suites rely on.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = SuiteServer.make(host: host, port: Int(port), group: group)
        do {
            let address = try await server.start()
            let line = "listening on \(host):\(address.port ?? Int(port))\n"
            try FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
        } catch {
            let line = "cannot listen on \(host):\(port): \(error)\n"
            try FileHandle.standardError.write(contentsOf: Data(line.utf8))
            throw ExitCode.failure
        }
        for await _ in signals { break }
        try await server.shutdown().get()
        try await group.shutdownGracefully()
    }
}
