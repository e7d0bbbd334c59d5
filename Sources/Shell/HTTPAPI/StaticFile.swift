import NIOCore
import NIOHTTP1
import Secrets
import SocketIOServer

/// A file that is served from memory, as it was when the process started.
package struct StaticFile: Sendable {
    let contentType: String
    let cacheControl: String
    /// Strong: the digest of the content, quoted.
    let entityTag: String
    private let body: ByteBuffer

    package init(contentType: String, cacheControl: String, bytes: [UInt8]) {
        self.contentType = contentType
        self.cacheControl = cacheControl
        entityTag = "\"\(Hexadecimal.encode(Digest.sha256(bytes).prefix(12)))\""
        body = ByteBuffer(bytes: bytes)
    }

    /// The whole file, or 304 to a client that has it (RFC 9110 § 13.1.2).
    func response(to request: HTTPRequest, headers: HTTPHeaders = [:]) -> HTTPResponse {
        var headers = headers
        headers.add(name: "cache-control", value: cacheControl)
        headers.add(name: "etag", value: entityTag)
        guard !isHeld(by: request) else {
            return HTTPResponse(status: .notModified, headers: headers)
        }
        headers.add(name: "content-type", value: contentType)
        return HTTPResponse(headers: headers, body: body)
    }

    /// Weak comparison: a proxy that compresses makes the tag weak.
    private func isHeld(by request: HTTPRequest) -> Bool {
        request.headers[canonicalForm: "if-none-match"].contains { tag in
            tag == "*" || tag == entityTag || tag == "W/\(entityTag)"
        }
    }
}
