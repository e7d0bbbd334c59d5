import HTTPAPI
import NIOHTTP1
import Testing

@Suite struct AdminTests {
    private let token = "a-token-of-sixteen+"
    private let paths = ["/api/admin/status", "/api/admin/rooms/room1"]

    private var client: Client {
        var source = FakeSource()
        source.adminRoomReport = AdminRoomReport(
            id: "room1", version: 9, isProtected: true,
            members: [
                .init(id: "socket-id-1", name: "Ana", isHost: true, holder: "h", joinedAt: 5)
            ])
        return Client(source) { $0.adminToken = token }
    }

    @Test("without a token configured the admin paths do not exist")
    func off() async throws {
        for path in paths {
            let answer = try await Client().send(
                .GET, path, headers: ["Authorization": "Bearer \(token)"])
            #expect(answer.code == 404)
            #expect(try await Client().send(.POST, path).code == 404)
        }
    }

    @Test(
        "a missing, wrong, cut or differently sent token is 401",
        arguments: [
            nil, "", "Bearer", "Bearer ", "Bearer a-token-of-sixteen",
            "Bearer a-token-of-sixteen+x",
            "Bearer A-TOKEN-OF-SIXTEEN+", "Basic a-token-of-sixteen+", "a-token-of-sixteen+",
            "Bearer  a-token-of-sixteen+",
        ] as [String?])
    func unauthorised(header: String?) async throws {
        for path in paths {
            var headers = HTTPHeaders()
            if let header { headers.add(name: "Authorization", value: header) }
            let answer = try await client.send(.GET, path, headers: headers)
            #expect(answer.code == 401)
            #expect(answer.header("www-authenticate") == "Bearer")
            #expect(try answer.errorCode() == "UNAUTHORIZED")
            #expect(!answer.text.contains("10.9.8.7") && !answer.text.contains("socket-id-1"))
        }
    }

    @Test("the token opens Redis's address, memory and the members of a room")
    func authorised() async throws {
        let headers: HTTPHeaders = ["Authorization": "bearer \(token)"]
        let status = try await client.send(.GET, "/api/admin/status", headers: headers).json()
        #expect(status["redisAddress"]?.string == "10.9.8.7:6379/0")
        #expect(status["details"]?["queued"]?.int == 4)
        #expect((status["residentMemoryBytes"]?.int ?? 0) > 1_000_000)
        let room = try await client.send(.GET, "/api/admin/rooms/room1", headers: headers).json()
        #expect(room["members"]?.elements.first?["id"]?.string == "socket-id-1")
        #expect(room["members"]?.elements.first?["role"]?.string == "host")
        let none = try await client.send(.GET, "/api/admin/rooms/other", headers: headers)
        #expect(try none.code == 404 && none.errorCode() == "ROOM_NOT_FOUND")
    }

    @Test("public answers hold nothing of what the token opens")
    func publicAnswers() async throws {
        let paths = [
            "/", "/api/health", "/api/live", "/api/ready", "/api/instance", "/api/stats",
            "/api/all-rooms", "/metrics", "/health/server-1", "/api/load-balancer",
        ]
        for path in paths {
            let answer = try await client.send(.GET, path, query: [("roomId", "room1")])
            for inside in ["10.9.8.7", "socket-id", "memory", "Memory", token] {
                #expect(!answer.text.contains(inside), "\(path) shows \(inside)")
            }
        }
        let metrics = try await client.send(
            .GET, "/metrics", headers: ["Authorization": "Bearer \(token)"])
        #expect(metrics.text.contains("process_resident_memory_bytes"))
    }
}
