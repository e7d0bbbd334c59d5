import Testing
import WireKit

@Suite("Engine.IO protocol: heartbeat and close", .timeLimit(.minutes(1)))
struct EngineIOSessionTests {
    @Test("heartbeat: HTTP long-polling: sends ping/pong packets", arguments: Endpoint.revision4)
    func pollingPings(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            for _ in 0..<3 {
                let polled = try await client.fetch("GET", endpoint.polling(sid))
                try expect(polled.status, is: 200)
                try expect(polled.text, is: "2")
                try expect(try await client.post(endpoint.polling(sid), "3").status, is: 200)
            }
        }
    }

    @Test(
        "heartbeat: HTTP long-polling: closes the session upon ping timeout",
        arguments: Endpoint.revision4)
    func pollingTimeout(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            try await Task.sleep(for: SuiteNumbers.surelySilent)
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
        }
    }

    @Test("heartbeat: WebSocket: sends ping/pong packets", arguments: Endpoint.revision4)
    func webSocketPings(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            let start = ContinuousClock.now
            for _ in 0..<3 {
                try expect(try await socket.next(), is: .text("2"))
                try await socket.send("3")
            }
            // The open packet may have been read late, a ping is never sent early.
            try expect(start.duration(to: .now) > .milliseconds(750), "the pings came too soon")
            socket.close()
        }
    }

    @Test(
        "heartbeat: WebSocket: closes the session upon ping timeout",
        arguments: Endpoint.revision4)
    func webSocketTimeout(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            let start = ContinuousClock.now
            try expect(try await socket.next(), is: .text("2"))
            try expect(try await socket.next(), is: .close(1000))
            let time = start.duration(to: .now)
            try expect(
                time > .milliseconds(350) && time < SuiteNumbers.surelySilent, "after \(time)")
        }
    }

    @Test(
        "close: HTTP long-polling: forcefully closes the session", arguments: Endpoint.revision4)
    func pollingClose(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            let poll = try await client.begin("GET", endpoint.polling(sid))
            try expect(try await client.post(endpoint.polling(sid), "1").status, is: 200)
            let answer = try await WireClient.readAnswer(poll)
            try expect(answer.status, is: 200)
            try expect(answer.text, is: "6")
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
        }
    }

    @Test("close: WebSocket: forcefully closes the session", arguments: Endpoint.revision4)
    func webSocketClose(_ endpoint: Endpoint) async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            try await socket.send("1")
            try expect(try await socket.next(), is: .close(1000))
        }
    }
}
