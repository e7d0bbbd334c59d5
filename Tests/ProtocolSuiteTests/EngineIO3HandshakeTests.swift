import Testing
import WireKit

@Suite("Engine.IO protocol 3: handshake", .timeLimit(.minutes(1)))
struct EngineIO3HandshakeTests {
    @Test("HTTP long-polling: successfully opens a session", arguments: Endpoint.revision3)
    func pollingOpens(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let answer = try await client.fetch("GET", endpoint.polling())
            try expect(answer.status, is: 200)
            // One packet behind its length, whatever is sent to the client next.
            let packet = String(answer.text.drop { $0 != ":" }.dropFirst())
            try expect(answer.text, is: "\(packet.utf16.count):\(packet)")
            try OpenPacket(packet).check(upgrades: ["websocket"])
        }
    }

    @Test(
        "HTTP long-polling: fails with an invalid 'transport' query parameter",
        arguments: Endpoint.revision3)
    func pollingTransport(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for query in ["EIO=3", "EIO=3&transport=abc"] {
                let answer = try await client.fetch("GET", "\(endpoint.path)?\(query)")
                try expect(answer.status, is: 400)
                try expect(answer.text, is: #"{"code":0,"message":"Transport unknown"}"#)
            }
        }
    }

    @Test(
        "HTTP long-polling: fails with an invalid request method", arguments: Endpoint.revision3)
    func pollingMethod(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for method in ["POST", "PUT"] {
                let answer = try await client.fetch(method, endpoint.polling(), body: [])
                try expect(answer.status, is: 400)
            }
        }
    }

    @Test("WebSocket: successfully opens a session", arguments: Endpoint.revision3)
    func webSocketOpens(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await client.webSocket(endpoint.webSocket())
            try OpenPacket(try await socket.text()).check(upgrades: [])
            socket.close()
        }
    }

    @Test(
        "WebSocket: fails with an invalid 'EIO' query parameter", arguments: Endpoint.revision3)
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
        arguments: Endpoint.revision3)
    func webSocketTransport(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            for query in ["EIO=3", "EIO=3&transport=abc"] {
                let status = try await client.webSocketRefusal("\(endpoint.path)?\(query)")
                try expect(status, is: 400)
            }
        }
    }
}
