import Testing
import WireKit

@Suite("Engine.IO protocol: handshake", .timeLimit(.minutes(1)))
struct EngineIOHandshakeTests {
    @Test("HTTP long-polling: successfully opens a session", arguments: Endpoint.revision4)
    func pollingOpens(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let answer = try await client.fetch("GET", endpoint.polling())
            try expect(answer.status, is: 200)
            try OpenPacket(answer.text).check(upgrades: ["websocket"])
        }
    }

    @Test(
        "HTTP long-polling: fails with an invalid 'EIO' query parameter",
        arguments: Endpoint.revision4)
    func pollingRevision(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for query in ["transport=polling", "EIO=abc&transport=polling"] {
                let answer = try await client.fetch("GET", "\(endpoint.path)?\(query)")
                try expect(answer.status, is: 400)
                try expect(
                    answer.text, is: #"{"code":5,"message":"Unsupported protocol version"}"#)
            }
        }
    }

    @Test(
        "HTTP long-polling: fails with an invalid 'transport' query parameter",
        arguments: Endpoint.revision4)
    func pollingTransport(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for query in ["EIO=\(endpoint.revision)", "EIO=\(endpoint.revision)&transport=abc"] {
                let answer = try await client.fetch("GET", "\(endpoint.path)?\(query)")
                try expect(answer.status, is: 400)
                try expect(answer.text, is: #"{"code":0,"message":"Transport unknown"}"#)
            }
        }
    }

    @Test(
        "HTTP long-polling: fails with an invalid request method", arguments: Endpoint.revision4)
    func pollingMethod(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for method in ["POST", "PUT"] {
                let answer = try await client.fetch(method, endpoint.polling(), body: [])
                try expect(answer.status, is: 400)
                try expect(answer.text, is: #"{"code":2,"message":"Bad handshake method"}"#)
            }
        }
    }

    @Test("WebSocket: successfully opens a session", arguments: Endpoint.revision4)
    func webSocketOpens(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await client.webSocket(endpoint.webSocket())
            try OpenPacket(try await socket.text()).check(upgrades: [])
            socket.close()
        }
    }

    @Test(
        "WebSocket: fails with an invalid 'EIO' query parameter", arguments: Endpoint.revision4)
    func webSocketRevision(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for query in ["transport=websocket", "EIO=abc&transport=websocket"] {
                let status = try await client.webSocketRefusal("\(endpoint.path)?\(query)")
                try expect(status, is: 400)
            }
        }
    }

    @Test(
        "WebSocket: fails with an invalid 'transport' query parameter",
        arguments: Endpoint.revision4)
    func webSocketTransport(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for query in ["EIO=\(endpoint.revision)", "EIO=\(endpoint.revision)&transport=abc"] {
                let status = try await client.webSocketRefusal("\(endpoint.path)?\(query)")
                try expect(status, is: 400)
            }
        }
    }
}
