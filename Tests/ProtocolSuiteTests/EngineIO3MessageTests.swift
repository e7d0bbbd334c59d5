import Testing
import WireKit

@Suite("Engine.IO protocol 3: message", .timeLimit(.minutes(1)))
struct EngineIO3MessageTests {
    private let endpoint = Endpoint.engineIO3

    /// Posts the payload and expects the answer of the next poll.
    private func exchange(
        _ payload: String, _ wanted: [UInt8], takesBinary: Bool = false
    ) async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint, takesBinary: takesBinary)
            let posted = try await client.post(endpoint.polling(sid), payload)
            try expect(posted.status, is: 200)
            try expect(posted.text, is: "ok")
            let polled = try await client.fetch("GET", endpoint.polling(sid))
            try expect(polled.status, is: 200)
            try expect(polled.body, is: wanted)
        }
    }

    private func echoes(_ payload: String) async throws {
        try await exchange(payload, Array(payload.utf8))
    }

    @Test(
        "HTTP long-polling: sends and receives a payload containing one plain text packet")
    func onePacket() async throws {
        try await echoes("6:4hello")
    }

    @Test(
        "HTTP long-polling: sends and receives a payload containing several plain text packets")
    func severalPackets() async throws {
        try await echoes("6:4test16:4test26:4test3")
    }

    @Test(
        "HTTP long-polling: sends and receives a payload containing plain text and binary packets (base64 encoded)"
    )
    func textAndBase64() async throws {
        try await echoes("6:4hello10:b4AQIDBA==")
    }

    /// A kind, the length in single digits, 255, then the packet: a text, and a binary message.
    @Test(
        "HTTP long-polling: sends and receives a payload containing plain text and binary packets (binary)"
    )
    func textAndBinary() async throws {
        try await exchange(
            "6:4hello10:b4AQIDBA==",
            [0, 6, 255] + Array("4hello".utf8) + [1, 5, 255, 4, 1, 2, 3, 4], takesBinary: true)
    }

    @Test("HTTP long-polling: closes the session upon invalid packet format")
    func invalidPayload() async throws {
        try await scenario { client in
            let sid = try await client.openPolling(endpoint)
            try expect(try await client.post(endpoint.polling(sid), "abc").status, is: 400)
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
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
            try expect(answer.text, is: "1:1")
            try expect(try await client.fetch("GET", endpoint.polling(sid)).status, is: 400)
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

    /// In revision 3 the type stands before the bytes of a binary message too.
    @Test("WebSocket: sends and receives a binary packet")
    func webSocketBinary() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(endpoint)
            try await socket.send([4, 1, 2, 3, 4])
            try expect(try await socket.message(), is: .binary([4, 1, 2, 3, 4]))
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
