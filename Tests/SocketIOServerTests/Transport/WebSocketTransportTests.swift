import NIOCore
import Testing

@testable import SocketIOServer

@Suite(.timeLimit(.minutes(1))) struct WebSocketTransportTests {
    @Test func aSessionOpensWithoutPollingFirst() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            client.upgrade("/socket.io/?EIO=4&transport=websocket&roomId=a%20b")
            let answer = try await client.readAnswer()
            #expect(answer.status == 101)
            // The example of RFC 6455 § 1.3.
            #expect(answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            let open = try await client.readFrame()
            #expect(open.text.hasPrefix(#"0{"sid":""#))
            #expect(open.text.contains(#""upgrades":[]"#))
            let session = try #require(await server.nextSession())
            #expect(session.request.queryItem("roomId") == "a b")
            #expect(session.request.remoteAddress == "127.0.0.1")
            #expect(session.transportName == "websocket")
        }
    }

    @Test func textAndBinaryComeBack() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            client.sendText("4héllo")
            client.send(RawClient.frame(2, [0, 1, 255]))
            #expect(try await client.readFrame() == .init(opcode: 1, payload: Array("4héllo".utf8)))
            #expect(try await client.readFrame() == .init(opcode: 2, payload: [0, 1, 255]))
        }
    }

    @Test func framesInTheSegmentOfTheHandshakeAreRead() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            client.upgrade(
                "/socket.io/?EIO=4&transport=websocket",
                early: RawClient.frame(1, Array("4early".utf8)))
            #expect(try await client.readAnswer().status == 101)
            #expect(try await client.readFrame().text.hasPrefix("0{"))
            #expect(try await client.readFrame().text == "4early")
        }
    }

    @Test func pingsOfTheProtocolAreAnswered() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            client.send(RawClient.frame(9, [1, 2, 3]))
            #expect(try await client.readFrame() == .init(opcode: 10, payload: [1, 2, 3]))
        }
    }

    @Test func theAnswerToAPingSaysThatWhatWasSentBeforeHasArrived() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            session.eventLoop.execute {
                session.send(.text(ByteBuffer(string: "scene")))
                session.afterRoundTrip { session.send(.text(ByteBuffer(string: "arrived"))) }
            }
            #expect(try await client.readFrame().text == "4scene")
            #expect(try await client.readFrame().text == "2")
            client.sendText("4echo")
            #expect(try await client.readFrame().text == "4echo")
            client.sendText("3")
            #expect(try await client.readFrame().text == "4arrived")
        }
    }

    struct Fault: Sendable {
        let bytes: [UInt8]
        let code: Int
        let reason: EngineCloseReason
    }

    @Test(arguments: [
        Fault(bytes: [0x81, 1, 0x34], code: 1002, reason: .transportError),
        Fault(bytes: RawClient.frame(1, [0x34, 0xFF]), code: 1007, reason: .transportError),
        Fault(bytes: RawClient.frame(3, []), code: 1002, reason: .transportError),
        Fault(bytes: RawClient.frame(1, [0x39]), code: 1007, reason: .parseError),
        Fault(bytes: RawClient.frame(1, []), code: 1007, reason: .parseError),
        Fault(bytes: RawClient.frame(1, [0x32]), code: 1002, reason: .transportError),
        Fault(bytes: RawClient.frame(1, [0x31]), code: 1000, reason: .transportClose),
        Fault(bytes: RawClient.frame(8, [0x0F, 0xA0]), code: 4000, reason: .transportClose),
    ])
    func aFaultIsAnsweredWithACloseCode(fault: Fault) async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            client.send(fault.bytes)
            let frame = try await client.readFrame()
            #expect(frame.opcode == 8)
            #expect(frame.code == fault.code)
            #expect(await server.nextSeen() == .closed(fault.reason))
            client.send(RawClient.frame(8, []))
            client.close()
        }
    }

    @Test func aBrokenConnectionEndsTheSession() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            client.close()
            #expect(await server.nextSeen() == .closed(.transportClose))
        }
    }

    @Test func aTooLongMessageIsReportedAndTheSessionLives() async throws {
        var options = TestServer.options()
        options.limits.maxPayloadBytes = 10_000
        options.limits.maxSkippedMessageBytes = 50_000
        try await TestServer.run(options) { server in
            let client = try await server.openWebSocket()
            client.sendText("42[\"x\"," + String(repeating: "a", count: 20_000))
            let prefix = "2[\"x\"," + String(repeating: "a", count: 249)
            #expect(await server.nextSeen() == .discarded(20_007, prefix))
            client.sendText("4on")
            #expect(try await client.readFrame().text == "4on")
            client.send(RawClient.frame(1, .init(repeating: 0x34, count: 50_001)))
            #expect(try await client.readFrame().code == 1009)
            #expect(await server.nextSeen() == .text("on"))
            #expect(await server.nextSeen() == .closed(.payloadTooLarge))
            client.close()
        }
    }

    @Test func theBiggestMessageGoesBothWays() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            let text = "4" + String(repeating: "x", count: 16 * 1024 * 1024)
            client.sendText(text)
            let echo = try await client.readFrame()
            #expect(echo.payload.count == text.utf8.count)
            client.sendText("4small")
            #expect(try await client.readFrame().text == "4small")
        }
    }

    @Test func anUnansweredPingEndsTheSession() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(40)
        options.pongPatience = .milliseconds(100)
        try await TestServer.run(options) { server in
            let silent = try await server.openWebSocket()
            #expect(try await silent.readFrame().text == "2")
            #expect(await server.nextSeen() == .closed(.pingTimeout))
        }
    }

    @Test func answeredPingsKeepTheSession() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(40)
        options.pongPatience = .milliseconds(1500)
        try await TestServer.run(options) { server in
            let client = try await server.openWebSocket()
            let clock = ContinuousClock()
            let start = clock.now
            while clock.now - start < .milliseconds(3200) {
                #expect(try await client.readFrame().text == "2")
                client.sendText("3")
            }
            client.sendText("4alive")
            #expect(await server.nextSeen() == .text("alive"))
        }
    }

    @Test func theServersCloseHasCodeAndReason() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            session.eventLoop.execute {
                session.send(.text("last".buffer))
                session.close(.serverShutdown())
                session.close(.forcedClose)
            }
            #expect(try await client.readFrame().text == "4last")
            let close = try await client.readFrame()
            #expect(close.code == 1012)
            #expect(close.payload.dropFirst(2) == Array("server shutting down".utf8)[...])
            client.send(RawClient.frame(8, [0x03, 0xF4]))
            await client.readEnd()
            #expect(await server.nextSeen() == .closed(.serverShutdown()))
        }
    }

    @Test func aClientThatDoesNotReadIsClosedAndOthersGoOn() async throws {
        var options = TestServer.options()
        options.limits.maxBufferedBytesPerSession = 1024 * 1024
        options.limits.closeTimeout = .milliseconds(50)
        try await TestServer.run(options) { server in
            let slow = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            try await slow.stopReading()
            let message = PreparedMessage(text: [UInt8](repeating: 0x61, count: 100_000))
            for _ in 0..<400 where try await session.eventLoop.submit({ session.isOpen }).get() {
                try await session.eventLoop.submit { session.send(message) }.get()
            }
            #expect(await server.nextSeen() == .closed(.tooSlow))
            let other = try await server.openWebSocket()
            other.sendText("4fine")
            #expect(try await other.readFrame().text == "4fine")
            slow.close()
        }
    }

    @Test func aClientThatTakesLessThanItMustIsClosedThoughItAnswersPings() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(400)
        options.pongPatience = .seconds(30)
        options.limits.slowReaderTime = .milliseconds(300)
        options.limits.slowReaderBytes = 50_000_000
        options.limits.closeTimeout = .milliseconds(50)
        try await TestServer.run(options, echoes: false) { server in
            let slow = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            let message = PreparedMessage(text: [UInt8](repeating: 0x61, count: 30_000_000))
            try await slow.stopReading()
            try await session.eventLoop.submit { session.send(message) }.get()
            try? await slow.readSlowly(for: .milliseconds(1500))
            #expect(await server.nextSeen() == .closed(.tooSlow))
            slow.close()
        }
    }

    @Test func aClientThatStopsReadingIsTooSlowAndNotSilent() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(100)
        options.pongPatience = .milliseconds(200)
        options.limits.closeTimeout = .milliseconds(50)
        try await TestServer.run(options, echoes: false) { server in
            let slow = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            try await slow.stopReading()
            let message = PreparedMessage(text: [UInt8](repeating: 0x61, count: 30_000_000))
            try await session.eventLoop.submit { session.send(message) }.get()
            #expect(await server.nextSeen() == .closed(.tooSlow))
            let engine = server.server
            try await session.eventLoop.until { engine.metrics.slowClients == 1 }
            #expect(engine.metrics.pingTimeouts == 0)
            slow.close()
        }
    }

    @Test func aBackedUpSessionBecomesWritableWhenItIsRead() async throws {
        try await TestServer.run(echoes: false) { server in
            let client = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            try await client.stopReading()
            let message = PreparedMessage(text: [UInt8](repeating: 0x61, count: 12_000_000))
            try await session.eventLoop.submit { session.send(message) }.get()
            try await session.eventLoop.until { session.bufferedBytes > 1_000_000 }
            #expect(try await session.eventLoop.submit { session.isBackedUp }.get())
            try await client.resumeReading()
            #expect(try await client.readFrame().payload.count == 12_000_001)
            #expect(await server.nextSeen() == .writable)
            #expect(try await session.eventLoop.submit { session.bufferedBytes }.get() == 0)
            #expect(try await !session.eventLoop.submit { session.isBackedUp }.get())
        }
    }

    /// Some are written to the socket, some wait in the channel, some go together.
    @Test func whoReadsLateReadsEverythingInOrder() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            try await client.stopReading()
            let padding = String(repeating: "x", count: 2000)
            let send = { (numbers: Range<Int>) in
                for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: 5) {
                    session.eventLoop.execute {
                        for number in first..<first + 5 {
                            session.send(.text(ByteBuffer(string: "\(number) \(padding)")))
                        }
                    }
                }
            }
            send(0..<3500)
            try await session.eventLoop.until { session.isBackedUp }
            try await client.resumeReading()
            for number in 0..<4000 {
                #expect(try await client.readFrame().text == "4\(number) \(padding)")
                if number == 1000 { send(3500..<3700) }
                if number == 3600 { send(3700..<4000) }
            }
        }
    }

    @Test func oneBigMessageThatIsReadAtOnceLeavesNothingBackedUp() async throws {
        try await TestServer.run(echoes: false) { server in
            let client = try await server.openWebSocket()
            let session = try #require(await server.nextSession())
            let message = PreparedMessage(text: [UInt8](repeating: 0x61, count: 600_000))
            try await session.eventLoop.submit { session.send(message) }.get()
            #expect(try await client.readFrame().payload.count == 600_001)
            try await session.eventLoop.until { !session.isBackedUp }
        }
    }

    @Test func aPreparedMessageIsFramedOnceForAll() async throws {
        try await TestServer.run { server in
            var clients: [RawClient] = []
            let message = PreparedMessage(
                text: "51-[\"e\",{}]".buffer, attachments: ["raw".buffer])
            for _ in 0..<4 {
                clients.append(try await server.openWebSocket())
                let session = try #require(await server.nextSession())
                session.eventLoop.execute { session.send(message) }
            }
            for client in clients {
                #expect(try await client.readFrame().text == "451-[\"e\",{}]")
                #expect(
                    try await client.readFrame() == .init(opcode: 2, payload: Array("raw".utf8)))
            }
        }
    }
}
