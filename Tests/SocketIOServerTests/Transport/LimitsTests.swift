import NIOCore
import NIOPosix
import Testing

@testable import SocketIOServer

@Suite(.timeLimit(.minutes(1))) struct LimitsTests {
    @Test func whenTheProcessHoldsTooMuchTheSlowestClientIsClosed() async throws {
        var options = TestServer.options()
        options.limits.maxBufferedBytes = 8_000_000
        try await TestServer.run(options, echoes: false) { server in
            var clients: [RawClient] = []
            for size in [30_000_000, 10_000_000] {
                let client = try await server.openWebSocket()
                let session = try #require(await server.nextSession())
                try await client.stopReading()
                clients.append(client)
                let message = PreparedMessage(text: [UInt8](repeating: 0x61, count: size))
                session.eventLoop.execute { session.send(message) }
            }
            #expect(await server.nextSeen() == .closed(.tooSlow))
            let other = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            session.eventLoop.execute { session.send(.text("fine".buffer)) }
            #expect(try await other.readFrame().text == "4fine")
            for client in clients { client.close() }
        }
    }

    @Test func countersTellWhatHappened() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            client.sendText("4hello")
            _ = try await client.readFrame()
            let refused = try await server.connect()
            _ = try await refused.exchange("GET", "/socket.io/?EIO=1&transport=polling")
            let engine = server.server
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try await loop.until {
                engine.metrics.messagesReceived == 1 && engine.metrics.refusals == 1
            }
            let metrics = engine.metrics
            #expect(metrics.openSessions == 1)
            #expect(metrics.openWebSocketSessions == 1)
            #expect(metrics.openConnections == 2)
            #expect(metrics.messagesSent == 1)
            #expect(metrics.bytesReceived == 6)
            client.close()
            try await loop.until { engine.metrics.openSessions == 0 }
        }
    }
}
