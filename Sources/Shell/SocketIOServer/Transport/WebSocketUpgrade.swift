import EngineIO
import NIOCore
import NIOHTTP1
import WebSocket

/// The opening handshake of a WebSocket (RFC 6455 § 4.2).
struct WebSocketUpgrade: Sendable {
    private static let suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    private let key: String

    /// Whether the request asks to become a WebSocket, rightly or not.
    static func isRequested(by head: HTTPRequestHead) -> Bool {
        head.method == .GET
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
    }

    /// Nil where a header is missing or wrong; the answer is then `refusal`.
    init?(_ head: HTTPRequestHead) {
        let headers = head.headers
        let connection = headers[canonicalForm: "connection"]
        guard connection.contains(where: { $0.lowercased() == "upgrade" }),
            headers.first(name: "sec-websocket-version") == "13",
            let key = headers.first(name: "sec-websocket-key"),
            Base64.decode(Array(key.utf8)[...])?.count == 16
        else { return nil }
        self.key = key
    }

    static var refusal: HTTPResponse {
        var response = HTTPResponse.refusal(.badRequest)
        response.headers.add(name: "sec-websocket-version", value: "13")
        return response
    }

    /// The answer that ends HTTP on the connection.
    func response(headers: [(String, String)]) -> ByteBuffer {
        var head =
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            + "sec-websocket-accept: \(Self.accept(key))\r\n"
        for (name, value) in headers where Self.isSafe(name) && Self.isSafe(value) {
            head += "\(name): \(value)\r\n"
        }
        return ByteBuffer(string: head + "\r\n")
    }

    static func accept(_ key: String) -> String {
        Base64.encode(SHA1.digest(Array((key + suffix).utf8)))
    }

    /// No line end, which would begin another header.
    private static func isSafe(_ text: String) -> Bool {
        !text.utf8.contains { $0 == 0x0D || $0 == 0x0A || $0 == 0 }
    }
}
