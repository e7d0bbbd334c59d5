/// Plain HTTP and WebSockets to a server on 127.0.0.1, with nothing done that a test did not ask
/// for: no redirects, no retries, no protocol above.
package struct WireClient: Sendable {
    package struct Answer: Sendable, Hashable {
        package var status: Int
        /// Names in lower case.
        package var headers: [String: String]
        package var body: [UInt8]
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// The server did not switch to a WebSocket.
    package struct Refused: Error {
        package let answer: Answer
    }

    package let port: Int

    package init(port: Int) {
        self.port = port
    }

    /// One request on a connection of its own.
    package func fetch(
        _ method: String, _ target: String, body: [UInt8]? = nil
    ) async throws -> Answer {
        let connection = try await begin(method, target, body: body)
        defer { connection.close() }
        return try await Self.readAnswer(connection)
    }

    /// Sends a request; its answer is read by `readAnswer`.
    package func begin(
        _ method: String, _ target: String, body: [UInt8]? = nil
    ) async throws -> WireConnection {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        if let body { head += "Content-Length: \(body.count)\r\n" }
        let connection = try await WireConnection(port: port)
        try await connection.send(Array((head + "\r\n").utf8) + (body ?? []))
        return connection
    }

    package static func readAnswer(_ connection: WireConnection) async throws -> Answer {
        var answer = Answer(status: 0, headers: [:], body: [])
        let words = try await connection.readLine().split(separator: " ")
        if words.count > 1 { answer.status = Int(words[1]) ?? 0 }
        while true {
            let line = try await connection.readLine()
            if line.isEmpty { break }
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            answer.headers[line[..<colon].lowercased()] = String(value)
        }
        let length = answer.headers["content-length"].flatMap(Int.init) ?? 0
        answer.body = try await connection.read(length)
        return answer
    }

    /// An open WebSocket; throws `Refused` where the server answers otherwise.
    package func webSocket(_ target: String) async throws -> WireSocket {
        let connection = try await WireConnection(port: port)
        let request =
            "GET \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        try await connection.send(Array(request.utf8))
        let answer = try await Self.readAnswer(connection)
        // The answer to the key above, from RFC 6455 § 1.3.
        guard answer.status == 101,
            answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        else { throw Refused(answer: answer) }
        return WireSocket(connection)
    }
}
