import Testing

@testable import SocketIOServer

@Suite(.timeLimit(.minutes(1))) struct PollingTests {
    @Test func theFirstAnswerIsTheOpenPacket() async throws {
        try await TestServer.run { server in
            for path in ["/socket.io/", "/socket.io"] {
                let client = try await server.connect()
                let answer = try await client.exchange("GET", "\(path)?EIO=4&transport=polling")
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "text/plain; charset=UTF-8")
                #expect(
                    answer.body.wholeMatch(
                        of:
                            /0\{"sid":"[\w-]{20}","upgrades":\["websocket"\],"pingInterval":10000,"pingTimeout":5000,"maxPayload":\d+\}/
                    ) != nil, "\(answer.body)")
                client.close()
            }
        }
    }

    /// Several connections, so that requests land on the session's loop and on the other.
    @Test func messagesGoBothWaysOverAnyConnection() async throws {
        try await TestServer.run { server in
            let first = try await server.connect()
            let target = try await server.openPolling(first)
            for round in 0..<4 {
                let poster = try await server.connect()
                let poller = try await server.connect()
                poller.request("GET", target)
                let answer = try await poster.exchange(
                    "POST", target, body: "4é\(round)\u{1e}bAQIDBA==")
                #expect(answer.status == 200)
                #expect(answer.body == "ok")
                var body = try await poller.readAnswer().body
                if !body.contains("\u{1e}") {
                    body += try await "\u{1e}" + poller.exchange("GET", target).body
                }
                #expect(body == "4é\(round)\u{1e}bAQIDBA==")
                poster.close()
                poller.close()
            }
            #expect(await server.nextSeen() == .text("é0"))
            #expect(await server.nextSeen() == .binary([1, 2, 3, 4]))
        }
    }

    @Test func aSecondPollEndsTheSession() async throws {
        try await TestServer.run { server in
            let first = try await server.connect()
            let target = try await server.openPolling(first)
            let session = try #require(await server.nextSession())
            first.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            let second = try await server.connect()
            #expect(try await second.exchange("GET", target).status == 400)
            #expect(try await first.readAnswer().body == "1")
            #expect(await server.nextSeen() == .closed(.transportError))
            let gone = try await second.exchange("GET", target)
            #expect(gone.body == #"{"code":1,"message":"Session ID unknown"}"#)
        }
    }

    @Test func aSecondPostEndsTheSession() async throws {
        try await TestServer.run { server in
            let first = try await server.connect()
            let target = try await server.openPolling(first)
            let session = try #require(await server.nextSession())
            first.send("POST \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n4ab")
            try await session.eventLoop.untilPosting(session)
            let second = try await server.connect()
            #expect(try await second.exchange("POST", target, body: "4x").status == 400)
            #expect(await server.nextSeen() == .closed(.transportError))
            first.send("cdefghi")
            #expect(try await first.readAnswer().status == 400)
        }
    }

    @Test(arguments: ["abc", "", "4\u{1e}x", "b*"])
    func aBadPayloadEndsTheSession(body: String) async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            #expect(try await client.exchange("POST", target, body: body).status == 400)
            #expect(await server.nextSeen() == .closed(.parseError))
            #expect(try await client.exchange("GET", target).status == 400)
        }
    }

    @Test func aClientThatSaysCloseGetsItsPollBack() async throws {
        try await TestServer.run { server in
            let poller = try await server.connect()
            let target = try await server.openPolling(poller)
            let session = try #require(await server.nextSession())
            poller.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            let poster = try await server.connect()
            #expect(try await poster.exchange("POST", target, body: "1").body == "ok")
            #expect(try await poller.readAnswer().body == "6")
            #expect(await server.nextSeen() == .closed(.transportClose))
            #expect(try await poster.exchange("GET", target).status == 400)
        }
    }

    @Test func aBrokenPollEndsTheSession() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            let session = try #require(await server.nextSession())
            client.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            client.close()
            #expect(await server.nextSeen() == .closed(.transportError))
            #expect(server.server.isEmpty)
        }
    }

    @Test func aClosedSessionTellsTheNextPoll() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            let session = try #require(await server.nextSession())
            session.eventLoop.execute {
                session.send(.text("bye".buffer))
                session.close(.forcedClose)
                session.send(.text("too late".buffer))
            }
            #expect(await server.nextSeen() == .closed(.forcedClose))
            #expect(try await client.exchange("GET", target).body == "4bye\u{1e}1")
            #expect(try await client.exchange("GET", target).status == 400)
        }
    }

    @Test func aTooLongPostIsRefusedAndTheSessionLives() async throws {
        var options = TestServer.options()
        options.limits.maxPayloadBytes = 1000
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            let body = String(repeating: "4", count: 1001)
            let answer = try await client.exchange("POST", target, body: body)
            #expect(answer.status == 413)
            await client.readEnd()
            let other = try await server.connect()
            #expect(try await other.exchange("POST", target, body: "4still here").body == "ok")
            #expect(await server.nextSeen() == .text("still here"))
        }
    }

    @Test func aSessionWithoutPollsTimesOut() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(40)
        options.pongPatience = .milliseconds(1500)
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            let ping = try await client.exchange("GET", target)
            #expect(ping.body.hasPrefix("2"))
            #expect(await server.nextSeen() == .closed(.pingTimeout))
            #expect(try await client.exchange("GET", target).status == 400)
        }
    }

    @Test func aPreparedMessageReachesAPollWithItsAttachments() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            let session = try #require(await server.nextSession())
            let message = PreparedMessage(
                text: Array("251-[]".utf8), attachments: ["hi".buffer])
            session.eventLoop.execute { session.send(message) }
            #expect(try await client.exchange("GET", target).body == "4251-[]\u{1e}baGk=")
        }
    }

    @Test func aLongQueueIsFetchedByManyPolls() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client)
            let session = try #require(await server.nextSession())
            let sent = (0..<40).map { "\($0)" }
            try await session.eventLoop.submit {
                for text in sent { session.send(PreparedMessage(text: text.utf8)) }
            }.get()
            var received: [String] = []
            for count in [16, 16, 8] {
                let items = try await client.exchange("GET", target).body.split(separator: "\u{1e}")
                #expect(items.count == count)
                received += items.map { String($0.dropFirst()) }
            }
            #expect(received == sent)
            #expect(try await session.eventLoop.submit { session.bufferedBytes }.get() == 0)
        }
    }
}
