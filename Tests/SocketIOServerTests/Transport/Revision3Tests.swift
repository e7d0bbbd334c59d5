import Foundation
import NIOCore
import Testing

@testable import SocketIOServer

/// Engine.IO 3 over real sockets.
@Suite(.timeLimit(.minutes(1))) struct Revision3Tests {
    @Test func theFirstAnswerIsTheOpenPacketWithItsLength() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let answer = try await client.exchange("GET", "/socket.io/?EIO=3&transport=polling")
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "text/plain; charset=UTF-8")
            let parts = answer.body.split(separator: ":", maxSplits: 1)
            #expect(parts.first.flatMap { Int($0) } == parts.last?.utf16.count)
            #expect(parts.last?.hasPrefix(#"0{"sid":""#) == true)
            #expect(parts.last?.contains(#""upgrades":["websocket"],"pingInterval":10000"#) == true)
        }
    }

    @Test func textGoesBothWaysByPolling() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client, "EIO=3")
            let posted = try await client.exchange("POST", target, body: "3:4é€6:4hello")
            #expect(posted.body == "ok")
            let answer = try await client.exchange("GET", target)
            #expect(answer.body == "3:4é€6:4hello")
            #expect(answer.headers["content-type"] == "text/plain; charset=UTF-8")
            #expect(await server.nextSeen() == .text("é€"))
            #expect(await server.nextSeen() == .text("hello"))
        }
    }

    @Test func binariesGoBothWaysInFrames() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client, "EIO=3")
            let body = [0, 3, 0xFF] + Array("4hi".utf8) + [1, 4, 0xFF, 4, 0, 0xFF, 0x1E]
            #expect(try await client.post(target, bytes: body).body == "ok")
            let answer = try await client.exchange("GET", target)
            #expect(answer.bytes == body)
            #expect(answer.headers["content-type"] == "application/octet-stream")
            #expect(await server.nextSeen() == .text("hi"))
            #expect(await server.nextSeen() == .binary([0, 0xFF, 0x1E]))
        }
    }

    @Test func aClientOfTextGetsItsBinariesInBase64() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client, "EIO=3&b64=1")
            #expect(
                try await client.exchange("POST", target, body: "10:b4AQIDBA==3:4🦙").body == "ok")
            let answer = try await client.exchange("GET", target)
            #expect(answer.body == "10:b4AQIDBA==3:4🦙")
            #expect(answer.headers["content-type"] == "text/plain; charset=UTF-8")
            #expect(await server.nextSeen() == .binary([1, 2, 3, 4]))
            let socket = try await server.openWebSocket("EIO=3&b64=1")
            socket.sendText("b4AQIDBA==")
            #expect(try await socket.readFrame().text == "b4AQIDBA==")
        }
    }

    @Test func aBinaryFrameBeginsWithTheTypeOfItsPacket() async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket("EIO=3")
            client.sendText("4é🦙")
            #expect(try await client.readFrame().text == "4é🦙")
            client.send(RawClient.frame(2, [4, 9, 8]))
            let echo = try await client.readFrame()
            #expect(echo == .init(opcode: 2, payload: [4, 9, 8]))
            #expect(await server.nextSeen() == .text("é🦙"))
            #expect(await server.nextSeen() == .binary([9, 8]))
        }
    }

    @Test func theServerAnswersPingsWithTheirDataAndSendsNone() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(40)
        options.pongPatience = .seconds(30)
        try await TestServer.run(options) { server in
            let socket = try await server.openWebSocket("EIO=3")
            let poller = try await server.connect()
            let target = try await server.openPolling(poller, "EIO=3")
            let session = try #require(await server.nextSession())
            // Many intervals, in which a client of revision 4 would have been pinged.
            try await session.eventLoop.scheduleTask(in: .milliseconds(200)) {}.futureResult.get()
            socket.sendText("2")
            #expect(try await socket.readFrame().text == "3")
            socket.sendText("2at your service")
            #expect(try await socket.readFrame().text == "3at your service")
            #expect(try await poller.exchange("POST", target, body: "1:2").body == "ok")
            #expect(try await poller.exchange("GET", target).body == "1:3")
        }
    }

    @Test(arguments: [true, false])
    func aSilentClientIsClosed(isWebSocket: Bool) async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(100)
        options.pongPatience = .milliseconds(200)
        try await TestServer.run(options) { server in
            let client: RawClient
            if isWebSocket {
                client = try await server.openWebSocket("EIO=3")
            } else {
                client = try await server.connect()
                let target = try await server.openPolling(client, "EIO=3")
                client.request("GET", target)
            }
            #expect(await server.nextSeen() == .closed(.pingTimeout))
            if isWebSocket {
                #expect(try await client.readFrame().opcode == 8)
            } else {
                #expect(try await client.readAnswer().body == "1:1")
            }
        }
    }

    @Test(arguments: ["3", "x", "b2", "b4*", ""])
    func whatAClientOfRevision3MayNotSendEndsTheSession(text: String) async throws {
        try await TestServer.run { server in
            let client = try await server.openWebSocket("EIO=3")
            client.sendText(text)
            #expect(try await client.readFrame().opcode == 8)
            let reason: EngineCloseReason = text == "3" ? .transportError : .parseError
            #expect(await server.nextSeen() == .closed(reason))
        }
    }

    @Test func aBinaryFrameWithoutTypeEndsTheSession() async throws {
        try await TestServer.run { server in
            for payload in [[], [9, 8]] as [[UInt8]] {
                let client = try await server.openWebSocket("EIO=3")
                client.send(RawClient.frame(2, payload))
                #expect(try await client.readFrame().opcode == 8)
                #expect(await server.nextSeen() == .closed(.parseError))
            }
        }
    }

    @Test(arguments: ["", "4hello", "7:4hello", "6:4hello6", "1:9", "99999999999999999999:4"])
    func aBadPayloadEndsTheSession(body: String) async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client, "EIO=3")
            #expect(try await client.exchange("POST", target, body: body).status == 400)
            #expect(await server.nextSeen() == .closed(.parseError))
        }
    }

    @Test func aPayloadThatIsNotUTF8EndsTheSession() async throws {
        try await TestServer.run { server in
            for body in [[0x32, 0x3A, 0x34, 0xFF], [0, 2, 0xFF, 0x34, 0xC3]] as [[UInt8]] {
                let client = try await server.connect()
                let target = try await server.openPolling(client, "EIO=3")
                #expect(try await client.post(target, bytes: body).status == 400)
                #expect(await server.nextSeen() == .closed(.parseError))
            }
        }
    }

    @Test func aPollingSessionMovesToAWebSocketWithNothingLost() async throws {
        try await TestServer.run { server in
            let poller = try await server.connect()
            let target = try await server.openPolling(poller, "EIO=3")
            let session = try #require(await server.nextSession())
            poller.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            let socket = try await server.connect()
            socket.upgrade(target.replacingOccurrences(of: "=polling", with: "=websocket"))
            #expect(try await socket.readAnswer().status == 101)
            socket.sendText("2probe")
            #expect(try await socket.readFrame().text == "3probe")
            #expect(try await poller.readAnswer().body == "1:6")
            session.eventLoop.execute {
                session.send(.text("queued".buffer))
                session.send(.binary("raw".buffer))
            }
            socket.sendText("5")
            #expect(try await socket.readFrame().text == "4queued")
            #expect(try await socket.readFrame().payload == [4] + Array("raw".utf8))
            socket.sendText("2")
            #expect(try await socket.readFrame().text == "3")
            socket.sendText("1")
            #expect(await server.nextSeen() == .closed(.transportClose))
        }
    }

    @Test func aPreparedMessageIsSpelledForEachOfItsRecipients() async throws {
        try await TestServer.run { server in
            let message = PreparedMessage(text: "251-[]".utf8, attachments: ["hi".buffer])
            let expected: [(query: String, opcode: UInt8, payload: String)] = [
                ("EIO=4", 2, "hi"), ("EIO=3", 2, "\u{4}hi"), ("EIO=3", 2, "\u{4}hi"),
                ("EIO=3&b64=1", 1, "b4aGk="),
            ]
            for (query, opcode, payload) in expected {
                let client = try await server.openWebSocket(query)
                let session = try #require(await server.nextSession())
                session.eventLoop.execute { session.send(message) }
                #expect(try await client.readFrame().text == "4251-[]")
                #expect(
                    try await client.readFrame()
                        == .init(opcode: opcode, payload: Array(payload.utf8)))
            }
            let client = try await server.connect()
            let target = try await server.openPolling(client, "EIO=3")
            let session = try #require(await server.nextSession())
            session.eventLoop.execute { session.send(message) }
            #expect(
                try await client.exchange("GET", target).bytes
                    == [0, 7, 0xFF] + Array("4251-[]".utf8) + [1, 3, 0xFF, 4] + Array("hi".utf8))
            let text = PreparedMessage(text: "2[]".utf8)
            #expect(text.frames(.three) == text.frames(.four))
        }
    }

    @Test func aClosedSessionTellsTheNextPoll() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let target = try await server.openPolling(client, "EIO=3")
            let session = try #require(await server.nextSession())
            session.eventLoop.execute {
                session.send(.text("bye".buffer))
                session.close(.forcedClose)
            }
            #expect(await server.nextSeen() == .closed(.forcedClose))
            #expect(try await client.exchange("GET", target).body == "4:4bye1:1")
            #expect(try await client.exchange("GET", target).status == 400)
        }
    }

    /// Its id is known to others, as the id of its socket.
    @Test func requestsFromAnotherAddressAreNotTheClients() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let stranger = ["X-Forwarded-For": "192.0.2.7"]
            for (query, status, probed) in [("EIO=3", 400, 400), ("EIO=4", 200, 101)] {
                let target = try await server.openPolling(client, query)
                let body = query == "EIO=3" ? "2:4x" : "4x"
                let post = try await client.exchange(
                    "POST", target, headers: stranger, body: body)
                #expect(post.status == status)
                if status == 400 {
                    #expect(post.body == #"{"code":1,"message":"Session ID unknown"}"#)
                    #expect(
                        try await client.exchange("GET", target, headers: stranger).status == 400)
                }
                let socket = try await server.connect()
                socket.upgrade(
                    target.replacingOccurrences(of: "=polling", with: "=websocket"),
                    headers: stranger)
                #expect(try await socket.readAnswer().status == probed)
                #expect(try await client.exchange("POST", target, body: body).status == 200)
            }
        }
    }

    @Test func revision3MayBeForbidden() async throws {
        var options = TestServer.options()
        options.allowsRevision3 = false
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            let answer = try await client.exchange("GET", "/socket.io/?EIO=3&transport=polling")
            #expect(answer.status == 400)
            #expect(answer.body == #"{"code":5,"message":"Unsupported protocol version"}"#)
            let newer = try await client.exchange("GET", "/socket.io/?EIO=4&transport=polling")
            #expect(newer.status == 200)
        }
    }

    @Test func anAnswerAsAScriptIsRefused() async throws {
        try await TestServer.run { server in
            let client = try await server.connect()
            let answer = try await client.exchange(
                "GET", "/socket.io/?EIO=3&transport=polling&j=0")
            #expect(answer.status == 400)
            #expect(answer.body == #"{"code":3,"message":"Bad request"}"#)
        }
    }
}
