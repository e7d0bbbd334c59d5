import NIOHTTP1
import NIOPosix
import Testing

@testable import SocketIOServer

@Suite(.timeLimit(.minutes(1))) struct HTTPTests {
    /// A server that tells of each plain request what it understood.
    private static func options() -> ServerOptions {
        var options = TestServer.options()
        options.httpHandler = { request in
            let query = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
            let body = String(buffer: request.body)
            return request.eventLoop.makeSucceededFuture(
                request.path == "/missing"
                    ? .error(.notFound, code: "NOT_FOUND", message: "No \"such\" path")
                    : .text("\(request.method) \(request.path) \(query) \(body)"))
        }
        return options
    }

    @Test func plainRequestsShareThePort() async throws {
        try await TestServer.run(Self.options()) { server in
            let client = try await server.connect()
            #expect(try await client.exchange("GET", "/a?x=1&y=%C3%A9+").body == "GET /a x=1;y=é  ")
            #expect(try await client.exchange("POST", "/b", body: "data").body == "POST /b  data")
            let head = try await client.exchange("HEAD", "/c")
            #expect(head.headers["content-length"] == "9")
            let missing = try await client.exchange("GET", "/missing")
            #expect(missing.status == 404)
            #expect(
                missing.body
                    == #"{"error":{"message":"No \"such\" path","code":"NOT_FOUND","details":null}}"#
            )
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await TestServer.run(Self.options()) { server in
            let client = try await server.connect()
            let requests = (1...5).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }
            client.send(requests.joined())
            for index in 1...5 {
                #expect(try await client.readAnswer().body == "GET /\(index)  ")
            }
        }
    }

    @Test func aConnectionIsKeptOrClosedAsAsked() async throws {
        try await TestServer.run(Self.options()) { server in
            let client = try await server.connect()
            let answer = try await client.exchange("GET", "/a", headers: ["Connection": "close"])
            #expect(answer.headers["connection"] == "close")
            await client.readEnd()
        }
    }

    @Test func whatIsTooLongIsRefusedWithItsStatus() async throws {
        try await TestServer.run(Self.options()) { server in
            let declared = try await server.connect()
            declared.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n")
            let answer = try await declared.readAnswer()
            #expect(answer.status == 413)
            #expect(answer.body.contains(#""code":"PAYLOAD_TOO_LARGE""#))
            await declared.readEnd()

            let chunked = try await server.connect()
            chunked.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = String(repeating: "x", count: 0x10_0001)
            chunked.send("100001\r\n\(chunk)\r\n0\r\n\r\n")
            #expect(try await chunked.readAnswer().status == 413)

            let header = try await server.connect()
            header.send("GET / HTTP/1.1\r\nA: \(String(repeating: "x", count: 20_000))\r\n\r\n")
            #expect(try await header.readAnswer().status == 431)
            await header.readEnd()
        }
    }

    @Test func whatIsNoHTTPIsRefused() async throws {
        try await TestServer.run(Self.options()) { server in
            let client = try await server.connect()
            client.send("what?\r\n\r\n")
            #expect(try await client.readAnswer().status == 400)
            await client.readEnd()
            let body = try await server.connect()
            body.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
            #expect(try await body.readAnswer().status == 400)
            await body.readEnd()
        }
    }

    @Test func aConnectionThatSaysNothingIsClosed() async throws {
        var options = Self.options()
        options.limits.httpIdleTimeout = .milliseconds(50)
        try await TestServer.run(options) { server in
            await (try server.connect()).readEnd()
            let dripping = try await server.connect()
            dripping.send("GET / HTTP/1.1\r\nHost:")
            await dripping.readEnd()
            let half = try await server.connect()
            half.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            await half.readEnd()
        }
    }

    struct Refusal: Sendable {
        let method: String
        let query: String
        let status: Int
        let body: String
    }

    @Test(arguments: [
        Refusal(
            method: "GET", query: "EIO=4&transport=tachyon", status: 400,
            body: #"{"code":0,"message":"Transport unknown"}"#),
        Refusal(
            method: "GET", query: "EIO=4&transport=polling&sid=nobody", status: 400,
            body: #"{"code":1,"message":"Session ID unknown"}"#),
        Refusal(
            method: "POST", query: "EIO=4&transport=polling", status: 400,
            body: #"{"code":2,"message":"Bad handshake method"}"#),
        Refusal(
            method: "GET", query: "EIO=4&transport=websocket", status: 400,
            body: #"{"code":3,"message":"Bad request"}"#),
        Refusal(
            method: "GET", query: "EIO=2&transport=polling", status: 400,
            body: #"{"code":5,"message":"Unsupported protocol version"}"#),
    ])
    func refusalsHaveTheNumbersOfTheProtocolAndCORS(refusal: Refusal) async throws {
        try await TestServer.run(Self.options()) { server in
            let client = try await server.connect()
            let answer = try await client.exchange(
                refusal.method, "/socket.io/?\(refusal.query)",
                headers: ["Origin": "http://page.example"])
            #expect(answer.status == refusal.status)
            #expect(answer.body == refusal.body)
            #expect(answer.headers["content-type"]?.hasPrefix("application/json") == true)
            #expect(answer.headers["access-control-allow-origin"] == "http://page.example")
            #expect(answer.headers["access-control-allow-credentials"] == "true")
            #expect(server.server.isEmpty)
        }
    }

    @Test func aRefusedWebSocketGetsAStatusAtOnce() async throws {
        var options = Self.options()
        options.allowsOrigin = { $0 == "http://good.example" }
        options.admission = { request in
            request.queryItem("roomId") == "full"
                ? .refuse(
                    status: .serviceUnavailable, message: "Not ready",
                    headers: [("retry-after", "1")])
                : .accept
        }
        let target = "/socket.io/?EIO=4&transport=websocket"
        try await TestServer.run(options) { server in
            let cases: [(String, [String: String], Int, String)] = [
                (
                    target, ["Origin": "http://bad.example"], 403,
                    #"{"code":4,"message":"Forbidden"}"#
                ),
                ("\(target)&roomId=full", [:], 503, #"{"code":4,"message":"Not ready"}"#),
                (
                    target, ["Sec-WebSocket-Version": "8"], 400,
                    #"{"code":3,"message":"Bad request"}"#
                ),
                (
                    target, ["Sec-WebSocket-Key": "short"], 400,
                    #"{"code":3,"message":"Bad request"}"#
                ),
                (
                    "/socket.io/?EIO=2&transport=websocket", [:], 400,
                    #"{"code":5,"message":"Unsupported protocol version"}"#
                ),
            ]
            for (target, headers, status, body) in cases {
                let client = try await server.connect()
                client.upgrade(target, headers: headers)
                let answer = try await client.readAnswer()
                #expect(answer.status == status)
                #expect(answer.body == body)
                #expect(answer.headers["connection"] == "close")
                await client.readEnd()
            }
            let good = try await server.connect()
            good.upgrade(target, headers: ["Origin": "http://good.example"])
            #expect(try await good.readAnswer().status == 101)
        }
    }

    @Test func aPreflightIsAnsweredForAllowedOriginsOnly() async throws {
        var options = Self.options()
        options.allowsOrigin = { $0 == "http://good.example" }
        try await TestServer.run(options) { server in
            for path in ["/socket.io/?EIO=4&transport=polling", "/api/x"] {
                let client = try await server.connect()
                let good = try await client.exchange(
                    "OPTIONS", path, headers: ["Origin": "http://good.example"])
                #expect(good.status == 204)
                #expect(good.headers["access-control-allow-origin"] == "http://good.example")
                #expect(good.headers["access-control-allow-credentials"] == "true")
                #expect(
                    good.headers["access-control-allow-headers"]?.contains("Content-Type") == true)
                let bad = try await client.exchange(
                    "OPTIONS", path, headers: ["Origin": "http://bad.example"])
                #expect(bad.headers["access-control-allow-origin"] == nil)
            }
        }
    }

    @Test func theHandshakeCarriesItsHeaders() async throws {
        var options = Self.options()
        options.handshakeHeaders = { [("set-cookie", "t=\($0.cookie("t") ?? "new")")] }
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            let open = try await client.exchange(
                "GET", "/socket.io/?EIO=4&transport=polling", headers: ["Cookie": "a=1; t=old"])
            #expect(open.headers["set-cookie"] == "t=old")
            let socket = try await server.connect()
            socket.upgrade("/socket.io/?EIO=4&transport=websocket")
            #expect(try await socket.readAnswer().headers["set-cookie"] == "t=new")
        }
    }

    @Test func connectionsAndSessionsAreBounded() async throws {
        var options = Self.options()
        options.trustedProxies = []
        options.limits.maxConnections = 3
        options.limits.maxSessionsPerAddress = 1
        try await TestServer.run(options) { server in
            let first = try await server.openWebSocket()
            let second = try await server.connect()
            second.upgrade("/socket.io/?EIO=4&transport=websocket")
            #expect(try await second.readAnswer().status == 429)
            await second.readEnd()
            first.close()
            #expect(await server.nextSeen() == .closed(.transportClose))
            let engine = server.server
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try await loop.until { engine.metrics.openConnections == 0 }
            var open = [try await server.openWebSocket()]
            for _ in 0..<2 { open.append(try await server.connect()) }
            try await loop.until { engine.metrics.openConnections == 3 }
            let fourth = try await server.connect()
            #expect(try await fourth.readAnswer().status == 503)
            await fourth.readEnd()
        }
    }

    @Test func aServerThatDrainsRefusesNewSessionsAndEndsTheOpenOnes() async throws {
        try await TestServer.run(Self.options()) { server in
            let socket = try await server.openWebSocket()
            let idle = try await server.connect()
            #expect(try await idle.exchange("GET", "/").status == 200)
            try await server.server.closeSessions(over: .milliseconds(20)).get()
            #expect(try await socket.readFrame().code == 1012)
            let late = try await server.connect()
            late.upgrade("/socket.io/?EIO=4&transport=websocket")
            #expect(try await late.readAnswer().status == 503)
            socket.send(RawClient.frame(8, []))
            try await server.server.shutdown().get()
            await idle.readEnd()
            await #expect(throws: (any Error).self) { _ = try await server.connect() }
        }
    }
}
