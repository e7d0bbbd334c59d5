import NIOCore
import NIOHTTP1

/// A whole plain HTTP request, for every path that is not the Socket.IO path.
public struct HTTPRequest: Sendable {
    /// The method as sent.
    public let method: HTTPMethod
    /// The path without query, as sent.
    public let path: String
    /// Query items, percent-decoded, in the order sent.
    public let query: [(name: String, value: String)]
    /// The headers as sent.
    public let headers: HTTPHeaders
    /// The whole body, at most `ServerOptions.Limits.maxPlainBodyBytes`.
    public let body: ByteBuffer
    /// The client's address; see `HandshakeRequest.remoteAddress`.
    public let remoteAddress: String
    /// The address at the other end of the TCP connection.
    public let peerAddress: String
    /// True where the peer is a trusted proxy and sent `X-Forwarded-For`.
    public let viaTrustedProxy: Bool
    /// TLS up to here, or up to the trusted proxy.
    public let isSecure: Bool
    /// The loop of the connection; the answer may come from any.
    public let eventLoop: any EventLoop

    /// The first query item of that name.
    public func queryItem(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }
}

/// The answer to an `HTTPRequest`. Length, date, connection and CORS headers are the server's.
public struct HTTPResponse: Sendable {
    /// The HTTP status.
    public var status: HTTPResponseStatus
    /// Headers beside those that the server adds.
    public var headers: HTTPHeaders
    /// The whole body; not sent where the status or a HEAD request allows none.
    public var body: ByteBuffer

    /// An answer; without arguments 200 with an empty body.
    public init(
        status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:],
        body: ByteBuffer = ByteBuffer()
    ) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An answer with a JSON body that is encoded already.
    public static func json(
        _ body: some Collection<UInt8>, status: HTTPResponseStatus = .ok,
        headers: HTTPHeaders = [:]
    ) -> HTTPResponse {
        var headers = headers
        headers.replaceOrAdd(name: "content-type", value: "application/json; charset=utf-8")
        return HTTPResponse(status: status, headers: headers, body: ByteBuffer(bytes: body))
    }

    /// An answer with a body of text, UTF-8 unless the headers say otherwise.
    public static func text(
        _ body: String, status: HTTPResponseStatus = .ok, headers: HTTPHeaders = [:]
    ) -> HTTPResponse {
        var headers = headers
        if !headers.contains(name: "content-type") {
            headers.add(name: "content-type", value: "text/plain; charset=utf-8")
        }
        return HTTPResponse(status: status, headers: headers, body: ByteBuffer(string: body))
    }

    /// `{"error":{"message","code","details"}}`, the shape of every error of this server.
    ///
    /// - Parameters:
    ///   - status: the HTTP status.
    ///   - code: a word for programs, such as `NOT_FOUND`.
    ///   - message: what happened, for people.
    ///   - details: JSON text, already encoded.
    ///   - headers: headers beside those of every answer.
    public static func error(
        _ status: HTTPResponseStatus, code: String, message: String, details: String = "null",
        headers: HTTPHeaders = [:]
    ) -> HTTPResponse {
        let body =
            "{\"error\":{\"message\":\(message.jsonQuoted),\"code\":\(code.jsonQuoted),"
            + "\"details\":\(details)}}"
        return .json(body.utf8, status: status, headers: headers)
    }
}

extension String {
    /// The string as a JSON string, quotes included.
    package var jsonQuoted: String {
        var quoted = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
