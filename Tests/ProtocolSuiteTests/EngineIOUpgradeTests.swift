import Testing
import WireKit

@Suite("Engine.IO protocol: upgrade", .timeLimit(.minutes(1)))
struct EngineIOUpgradeTests {
    /// A polling session that has moved to the WebSocket returned.
    private func upgraded(
        _ client: WireClient, _ endpoint: Endpoint
    ) async throws -> (sid: String, socket: WireSocket) {
        let sid = try await client.openPolling(endpoint)
        let socket = try await client.webSocket(endpoint.webSocket(sid))
        try await socket.exchange(("2probe", "3probe"))
        try await socket.send("5")
        return (sid, socket)
    }

    @Test(
        "successfully upgrades from HTTP long-polling to WebSocket",
        arguments: Endpoint.revision4)
    func upgrades(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            let socket = try await client.webSocket(endpoint.webSocket(sid))
            try await socket.exchange(("2probe", "3probe"))
            let polled = try await client.fetch("GET", endpoint.polling(sid))
            try expect(polled.status, is: 200)
            try expect(polled.text, is: "6")
            try await socket.send("5")
            try await socket.exchange(endpoint.echo)
            socket.close()
        }
    }

    @Test("ignores HTTP requests with same sid after upgrade", arguments: Endpoint.revision4)
    func requestsAfterwards(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let (sid, socket) = try await upgraded(client, endpoint)
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
            try await socket.exchange(endpoint.echo)
            socket.close()
        }
    }

    @Test(
        "ignores WebSocket connection with same sid after upgrade", arguments: Endpoint.revision4)
    func webSocketAfterwards(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let (sid, socket) = try await upgraded(client, endpoint)
            try expect(
                try await client.webSocketRefusal(endpoint.webSocket(sid)), is: 400)
            try await socket.exchange(endpoint.echo)
            socket.close()
        }
    }
}
