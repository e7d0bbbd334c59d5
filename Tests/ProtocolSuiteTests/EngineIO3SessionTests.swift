import Testing
import WireKit

@Suite("Engine.IO protocol 3: heartbeat, close and upgrade", .timeLimit(.minutes(1)))
struct EngineIO3SessionTests {
    /// What the first poll brings beside what it waits for.
    private func greeting(_ endpoint: Endpoint) -> String {
        endpoint.path == "/engine.io/" ? "" : #"2:4013:42["auth",{}]"#
    }

    /// A new WebSocket session, what is sent to it unasked read.
    private func opened(
        _ client: WireClient, _ endpoint: Endpoint
    ) async throws -> WireSocket {
        let socket = try await client.openWebSocket(endpoint)
        if endpoint.path == "/socket.io/" {
            try expect(try await socket.text(), is: "40")
            try expect(try await socket.text(), is: #"42["auth",{}]"#)
        }
        return socket
    }

    @Test("heartbeat: HTTP long-polling: sends ping/pong packets", arguments: Endpoint.revision3)
    func pollingPings(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            for round in 0..<3 {
                try expect(try await client.post(endpoint.polling(sid), "1:2").status, is: 200)
                let polled = try await client.fetch("GET", endpoint.polling(sid))
                try expect(polled.status, is: 200)
                try expect(polled.text, is: (round == 0 ? greeting(endpoint) : "") + "1:3")
            }
        }
    }

    @Test(
        "heartbeat: HTTP long-polling: closes the session upon ping timeout",
        arguments: Endpoint.revision3)
    func pollingTimeout(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            try await Task.sleep(for: SuiteNumbers.surelySilent)
            try expect(try await client.post(endpoint.polling(sid), "1:2").status, is: 400)
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
        }
    }

    @Test("heartbeat: WebSocket: sends ping/pong packets", arguments: Endpoint.revision3)
    func webSocketPings(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await opened(client, endpoint)
            for _ in 0..<3 {
                try await socket.exchange(("2", "3"))
            }
            socket.close()
        }
    }

    /// The client that is to ping does not; and no ping comes from the server.
    @Test(
        "heartbeat: WebSocket: closes the session upon ping timeout",
        arguments: Endpoint.revision3)
    func webSocketTimeout(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await opened(client, endpoint)
            let start = ContinuousClock.now
            try expect(try await socket.next(), is: .close(1000))
            let time = start.duration(to: .now)
            try expect(
                time > .milliseconds(350) && time < SuiteNumbers.surelySilent, "after \(time)")
        }
    }

    @Test(
        "close: HTTP long-polling: forcefully closes the session", arguments: Endpoint.revision3)
    func pollingClose(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            let poll = try await client.begin("GET", endpoint.polling(sid))
            try expect(try await client.post(endpoint.polling(sid), "1:1").status, is: 200)
            let answer = try await WireClient.readAnswer(poll)
            try expect(answer.status, is: 200)
            let greeting = greeting(endpoint)
            try expect(answer.text, is: greeting.isEmpty ? "1:6" : greeting)
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
        }
    }

    @Test("close: WebSocket: forcefully closes the session", arguments: Endpoint.revision3)
    func webSocketClose(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await opened(client, endpoint)
            try await socket.send("1")
            try expect(try await socket.next(), is: .close(1000))
        }
    }

    /// A polling session that has moved to the WebSocket returned, with nothing left to read.
    private func upgraded(
        _ client: WireClient, _ endpoint: Endpoint
    ) async throws -> (sid: String, socket: WireSocket) {
        let sid = try await client.openPolling(endpoint)
        let socket = try await client.webSocket(endpoint.webSocket(sid))
        try await socket.exchange(("2probe", "3probe"))
        let polled = try await client.fetch("GET", endpoint.polling(sid))
        try expect(polled.status, is: 200)
        let greeting = greeting(endpoint)
        try expect(polled.text, is: greeting.isEmpty ? "1:6" : greeting)
        try await socket.send("5")
        return (sid, socket)
    }

    @Test(
        "upgrade: successfully upgrades from HTTP long-polling to WebSocket",
        arguments: Endpoint.revision3)
    func upgrades(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let (_, socket) = try await upgraded(client, endpoint)
            try await socket.exchange(endpoint.echo)
            socket.close()
        }
    }

    @Test(
        "upgrade: ignores HTTP requests with same sid after upgrade",
        arguments: Endpoint.revision3)
    func requestsAfterwards(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let (sid, socket) = try await upgraded(client, endpoint)
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
            try await socket.exchange(endpoint.echo)
            socket.close()
        }
    }

    @Test(
        "upgrade: ignores WebSocket connection with same sid after upgrade",
        arguments: Endpoint.revision3)
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
