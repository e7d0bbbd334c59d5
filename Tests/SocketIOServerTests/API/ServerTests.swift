import JSON
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import SocketIOServer

@Suite("Server over real sockets", .timeLimit(.minutes(1)))
struct ServerTests {
    /// A running server on a port of the system's choice.
    private struct Fixture {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server: SocketIOServer
        let address: SocketAddress

        init(_ prepare: (SocketIOServer) -> Void) async throws {
            var options = ServerOptions()
            options.host = "127.0.0.1"
            options.port = 0
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            server = SocketIOServer(options: options, eventLoopGroup: group, logger: logger)
            prepare(server)
            address = try await server.start()
        }

        /// A client that is connected to `/`.
        func client() async throws -> WebSocketClient {
            let client = try await WebSocketClient.connect(
                address, on: group, query: "&roomId=r%201")
            #expect(await client.next()?.hasPrefix("0{\"sid\":") == true)
            try await client.send("40")
            #expect(await client.next()?.hasPrefix("40{\"sid\":") == true)
            return client
        }

        func end() async throws {
            try await server.shutdown().get()
            try await group.shutdownGracefully()
        }
    }

    @Test("Events, acks, attachments and handshake pass through a WebSocket")
    func roundTrip() async throws {
        let fixture = try await Fixture { server in
            server.of("/").onConnection { socket in
                socket.emit("room", .string(socket.handshake.queryItem("roomId") ?? ""))
                socket.on("echo") { event in
                    event.acknowledge?.send(
                        event.arguments.values.map(JSONValue.raw),
                        attachments: event.arguments.attachments)
                }
            }
        }
        let client = try await fixture.client()
        #expect(await client.next() == #"42["room","r 1"]"#)
        try await client.send(#"427["echo",{"a":1}]"#)
        #expect(await client.next() == #"437[{"a":1}]"#)
        try await client.send(#"451-8["echo",{"_placeholder":true,"num":0}]"#)
        try await client.send(binary: [1, 2, 3])
        #expect(await client.next() == #"461-8[{"_placeholder":true,"num":0}]"#)
        #expect(await client.next() == "<1,2,3>")
        let long = String(repeating: "é", count: 100_000)
        try await client.send("429[\"echo\",\"\(long)\"]")
        #expect(await client.next() == "439[\"\(long)\"]")
        try await fixture.end()
        #expect(await client.next() == "close 1012")
    }

    @Test("A broadcast reaches members on every loop, in order")
    func broadcast() async throws {
        let fixture = try await Fixture { server in
            server.of("/").onConnection { socket in
                socket.join("room")
                socket.on("say") { event in
                    socket.to("room").emit(
                        "said", arguments: event.arguments.values.map(JSONValue.raw))
                }
            }
        }
        var clients: [WebSocketClient] = []
        for _ in 0..<4 { clients.append(try await fixture.client()) }
        for number in 0..<20 { try await clients[0].send("42[\"say\",\(number)]") }
        for client in clients.dropFirst() {
            for number in 0..<20 { #expect(await client.next() == "42[\"said\",\(number)]") }
        }
        #expect(fixture.server.of("/").socketCount == 4)
        try await clients[3].close()
        while fixture.server.of("/").socketCount == 4 {
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(fixture.server.of("/").socketCount == 3)
        try await fixture.end()
    }

    @Test("A packet that is none ends its own connection only")
    func badPacket() async throws {
        let fixture = try await Fixture { server in
            server.of("/").onConnection { socket in
                socket.on("ping me") { _ in socket.emit("pong") }
            }
        }
        let good = try await fixture.client()
        for bad in ["4", "4x", "42{}", "42[", "4\u{0}", "451-[]", "42[\"connect\"]"] {
            let client = try await fixture.client()
            try await client.send(bad)
            #expect(await client.next() == "close 1007")
            #expect(await client.next() == nil)
        }
        try await good.send(#"42["ping me"]"#)
        #expect(await good.next() == #"42["pong"]"#)
        try await fixture.end()
    }

    @Test("Closing sessions is spread over the window and needs no DISCONNECT packet")
    func pacedClose() async throws {
        let fixture = try await Fixture { _ in }
        var clients: [WebSocketClient] = []
        for _ in 0..<4 { clients.append(try await fixture.client()) }
        try await fixture.server.stopAccepting().get()
        let clock = ContinuousClock()
        let duration = try await clock.measure {
            try await fixture.server.closeSessions(over: .milliseconds(400)).get()
        }
        #expect(duration > .milliseconds(250))
        for client in clients { #expect(await client.next() == "close 1012") }
        await #expect(throws: (any Error).self) {
            try await WebSocketClient.connect(fixture.address, on: fixture.group)
        }
        try await fixture.end()
    }
}
