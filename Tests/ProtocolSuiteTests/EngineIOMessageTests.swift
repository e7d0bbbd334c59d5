import Testing
import WireKit

@Suite("Engine.IO protocol: message", .timeLimit(.minutes(1)))
struct EngineIOMessageTests {
    private let endpoint = Endpoint.engineIO4

    /// Posts the payload and expects it back from the next poll.
    private func echoes(_ payload: String) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            let posted = try await client.post(endpoint.polling(sid), payload)
            try expect(posted.status, is: 200)
            try expect(posted.text, is: "ok")
            let polled = try await client.fetch("GET", endpoint.polling(sid))
            try expect(polled.status, is: 200)
            try expect(polled.text, is: payload)
        }
    }

    @Test(
        "HTTP long-polling: sends and receives a payload containing one plain text packet")
    func onePacket() async throws {
        try await echoes("4hello")
    }

    @Test(
        "HTTP long-polling: sends and receives a payload containing several plain text packets")
    func severalPackets() async throws {
        try await echoes(endpoint.payload("4test1", "4test2", "4test3"))
    }

    @Test(
        "HTTP long-polling: sends and receives a payload containing plain text and binary packets")
    func textAndBinary() async throws {
        try await echoes(endpoint.payload("4hello", "bAQIDBA=="))
    }

    @Test("HTTP long-polling: closes the session upon invalid packet format")
    func invalidPayload() async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            try expect(try await client.post(endpoint.polling(sid), "abc").status, is: 400)
            let polled = try await client.fetch("GET", endpoint.polling(sid))
            try expect(polled.status, is: 400)
            try expect(polled.text, is: #"{"code":1,"message":"Session ID unknown"}"#)
        }
    }

    @Test("HTTP long-polling: closes the session upon duplicate poll requests")
    func duplicatePolls() async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            let first = try await client.begin("GET", endpoint.polling(sid))
            let second = try await client.fetch("GET", endpoint.polling(sid) + "&t=burst")
            try expect(second.status, is: 400)
            let answer = try await WireClient.readAnswer(first)
            try expect(answer.status, is: 200)
            try expect(answer.text, is: "1")
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
        }
    }

    @Test("HTTP long-polling: closes the session upon cancelled polling request")
    func cancelledPoll() async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            try await client.begin("GET", endpoint.polling(sid)).close()
            // The next poll may overtake the news; it is then refused as the second of two.
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
            let later = try await client.fetch("GET", endpoint.polling(sid))
            try expect(later.status, is: 400)
            try expect(later.text, is: #"{"code":1,"message":"Session ID unknown"}"#)
        }
    }

    @Test("WebSocket: sends and receives a plain text packet")
    func webSocketText() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            try await socket.exchange(("4hello", "4hello"))
            socket.close()
        }
    }

    @Test("WebSocket: sends and receives a binary packet")
    func webSocketBinary() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            try await socket.send([1, 2, 3, 4])
            try expect(try await socket.message(), is: .binary([1, 2, 3, 4]))
            socket.close()
        }
    }

    @Test("WebSocket: closes the session upon invalid packet format")
    func webSocketInvalid() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            try await socket.send("abc")
            try expect(try await socket.message(), is: .close(1007))
        }
    }
}
