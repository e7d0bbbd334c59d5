import HTTPAPI
import JSON
import NIOHTTP1
import Testing

@Suite struct RouteTests {
    @Test("health tells the truth and stays 200, healthy or not")
    func health() async throws {
        let good = try await Client().send(.GET, "/api/health")
        #expect(good.code == 200)
        let body = try good.json()
        #expect(body["status"]?.string == "healthy")
        #expect(body["instance"]?.string == "server-1")
        #expect(body["version"]?.string == "1.2.3")
        #expect(body["uptime"]?.double == 12.5)
        #expect(body["rooms"]?.int == 1 && body["users"]?.int == 3)
        #expect(body["redis"]?["connected"]?.bool == true)
        #expect(body["redis"]?["latencyMs"]?.double == 0.42)
        #expect(body["redis"]?["mode"]?.string == "single")
        #expect(body["reasons"]?.elements.isEmpty == true)

        let bad = try await Client(degraded()).send(.GET, "/health")
        #expect(bad.code == 200)
        #expect(try bad.json()["status"]?.string == "degraded")
        #expect(try bad.json()["redis"]?["latencyMs"]?.isNull == true)
        #expect(
            try bad.json()["reasons"]?.elements.first?["code"]?.string == "REDIS_UNREACHABLE")
    }

    @Test("ready is 200, or 503 with every reason, in the shape of an error too")
    func ready() async throws {
        for path in ["/api/ready", "/ready"] {
            #expect(try await Client().send(.GET, path).code == 200)
            let answer = try await Client(degraded()).send(.GET, path)
            #expect(answer.code == 503)
            #expect(try answer.json()["ready"]?.bool == false)
            #expect(try answer.errorCode() == "NOT_READY")
            #expect(answer.text.contains("Redis does not answer"))
            #expect(answer.header("retry-after") != nil)
        }
    }

    @Test("live says what other instances ask, whatever the state")
    func live() async throws {
        var source = degraded()
        source.healthReport.isDraining = true
        let answer = try await Client(source).send(.GET, "/api/live")
        let body = try answer.json()
        #expect(answer.code == 200)
        #expect(body["ready"]?.bool == false && body["draining"]?.bool == true)
        #expect(body["linked"]?.bool == false)
        #expect(body["incarnation"]?.string == "server-1#00000000000000ab")
    }

    @Test("the health of an instance is told by that instance only")
    func ownHealth() async throws {
        #expect(try await Client().send(.GET, "/health/server-1").code == 200)
        for path in ["/health/server-2", "/health/", "/health/server-1/", "/health/SERVER-1"] {
            let answer = try await Client().send(.GET, path)
            #expect(answer.code == 404, "\(path)")
            #expect(try answer.errorCode() == "NOT_FOUND")
        }
    }

    @Test("all-rooms passes the items on as they are")
    func rooms() async throws {
        let body = try await Client().send(.GET, "/api/all-rooms").json()
        #expect(body["success"]?.bool == true)
        #expect(body["rooms"]?.text == #"[{"id":"room1","userCount":2}]"#)
    }

    @Test("a store that fails gives 503 with a code, not a broken connection")
    func storeFails() async throws {
        var source = FakeSource()
        source.roomsFail = true
        let answer = try await Client(source).send(.GET, "/api/all-rooms")
        #expect(answer.code == 503)
        #expect(try answer.errorCode() == "STORE_UNAVAILABLE")
    }

    @Test("load-balancer names the owner, where it is, and who else there is")
    func loadBalancer() async throws {
        let answer = try await Client().send(
            .GET, "/api/load-balancer", query: [("x", "y"), ("roomId", "room1")])
        let body = try answer.json()
        #expect(body["roomId"]?.string == "room1" && body["owner"]?.string == "server-1")
        #expect(body["url"]?.string == "http://localhost:3001" && body["alive"]?.bool == true)
        #expect(body["configuredOwner"]?.string == "server-2")
        #expect(body["nodes"]?.elements.count == 2)
        #expect(body["nodes"]?.elements.last?["alive"]?.bool == false)
    }

    @Test(
        "a missing or malformed room id is refused with a code",
        arguments: [[], [("roomId", "")], [("roomId", "a b c")], [("roomid", "room1")]])
    func badRoomID(query: [(String, String)]) async throws {
        let answer = try await Client().send(.GET, "/api/load-balancer", query: query)
        #expect(answer.code == 400)
        #expect(try answer.errorCode() == "VALIDATION_ERROR")
    }

    @Test("statistics count this instance and the cluster")
    func stats() async throws {
        let body = try await Client().send(.GET, "/api/stats").json()
        #expect(body["users"]?.int == 3 && body["members"]?.int == 2 && body["rooms"]?.int == 1)
        #expect(body["transports"]?["polling"]?.int == 1)
        #expect(body["cluster"]?["instances"]?.int == 2 && body["cluster"]?["alive"]?.int == 1)
        #expect(body["cluster"]?["rooms"]?.int == 7 && body["cluster"]?["users"]?.isNull == true)
    }

    @Test("the instance names itself, its version and its peers")
    func instance() async throws {
        let body = try await Client().send(.GET, "/api/instance").json()
        #expect(body["instance"]?.string == "server-1" && body["version"]?.string == "1.2.3")
        #expect(body["nodes"]?.elements.map { $0["id"]?.string } == ["server-1", "server-2"])
    }

    @Test(
        "paths that are not listed are 404 with a code",
        arguments: [
            "", "/api", "/api/", "/api/health/", "/api/health/x", "//api//health", "/API/health",
            "/%61pi/health", "/../api/health", "/.env", "/metrics/", "/api/admin",
            "/api/admin/rooms/", "/index.html", "/assets", "/assets/", "/assets/none.js",
            "/assets/../index.html", "/assets/%6dain.js", "/socket.io/socket.io.js",
            "/socket.io/socket.io.min.js/",
        ])
    func unknown(path: String) async throws {
        for method in [HTTPMethod.GET, .POST, .RAW(value: "BREW")] {
            let answer = try await Client().send(method, path)
            #expect(answer.code == 404)
            #expect(try answer.errorCode() == "NOT_FOUND")
        }
    }

    @Test(
        "other methods are 405 and name the right ones",
        arguments: [HTTPMethod.POST, .PUT, .DELETE, .PATCH, .TRACE, .RAW(value: "BREW")])
    func methods(method: HTTPMethod) async throws {
        for path in [
            "/api/health", "/metrics", "/", "/assets/main.js", "/socket.io/socket.io.min.js",
            "/health/server-1",
        ] {
            let answer = try await Client().send(method, path)
            #expect(answer.code == 405)
            #expect(answer.header("allow") == "GET, HEAD, OPTIONS")
            #expect(try answer.errorCode() == "METHOD_NOT_ALLOWED")
        }
    }

    @Test("HEAD is answered as GET is, and OPTIONS without a body")
    func headAndOptions() async throws {
        let head = try await Client().send(.HEAD, "/api/health")
        #expect(try head.code == 200 && head.json()["status"] != nil)
        let options = try await Client().send(.OPTIONS, "/api/health")
        #expect(options.code == 204 && options.text.isEmpty && options.header("allow") != nil)
    }

    @Test("answers about the state are never cached, and the cookie goes out under /api/ only")
    func headers() async throws {
        let client = Client { $0.cookie = { "c=\($0.cookie("c") ?? "new"); Path=/" } }
        let answer = try await client.send(
            .GET, "/api/health", headers: ["Cookie": "a=1; c=old; cc=2"])
        #expect(answer.header("set-cookie") == "c=old; Path=/")
        #expect(answer.header("cache-control") == "no-store")
        #expect(try await client.send(.GET, "/api/nothing").header("set-cookie") != nil)
        #expect(try await client.send(.GET, "/metrics").header("set-cookie") == nil)
        #expect(try await client.send(.GET, "/").header("set-cookie") == nil)
        #expect(try await client.send(.OPTIONS, "/api/health").header("set-cookie") == nil)
    }

    private func degraded() -> FakeSource {
        var source = FakeSource()
        source.healthReport = HealthReport(
            status: .degraded, isReady: false, isDraining: false, isLinked: false,
            reasons: [.init(code: "REDIS_UNREACHABLE", message: "Redis does not answer")],
            redis: .init(mode: "single", isConnected: false))
        return source
    }
}
