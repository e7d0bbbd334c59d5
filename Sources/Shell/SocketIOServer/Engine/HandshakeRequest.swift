import EngineIO
import NIOHTTP1

/// The HTTP request that opens, or tries to open, an Engine.IO session.
public struct HandshakeRequest: Sendable {
    /// The method as sent; GET.
    public let method: HTTPMethod
    /// The path without query, as sent.
    public let path: String
    /// Query items, percent-decoded, in the order sent.
    public let query: [(name: String, value: String)]
    /// The headers as sent, without the key and the version of a WebSocket's opening, which are
    /// spent with its answer.
    public let headers: HTTPHeaders
    /// The client's address; taken from `X-Forwarded-For` only where the peer is a trusted proxy.
    public let remoteAddress: String
    /// The address at the other end of the TCP connection.
    public let peerAddress: String
    /// True where the peer is a trusted proxy and sent `X-Forwarded-For`.
    public let viaTrustedProxy: Bool
    /// True where `remoteAddress` is itself one of the trusted proxies: no client came from beyond
    /// it, or the proxy does not say which. The limits of an address do not count for it.
    public let isTrustedAddress: Bool
    /// TLS up to here, or up to the trusted proxy.
    public let isSecure: Bool
    /// True where the session opens on a WebSocket, not by long polling.
    public let isWebSocket: Bool
    /// 128 random bits in hexadecimal, made for this request: material for a credential that the
    /// answer gives out as a cookie and the session goes by.
    public var freshToken: String { [token.high, token.low].map(Self.digits).joined() }

    private let token: (high: UInt64, low: UInt64)

    package init(
        method: HTTPMethod, path: String, query: [(name: String, value: String)],
        headers: HTTPHeaders, remoteAddress: String, peerAddress: String,
        viaTrustedProxy: Bool = false, isTrustedAddress: Bool = false, isSecure: Bool = false,
        isWebSocket: Bool
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = Self.kept(of: headers)
        self.remoteAddress = remoteAddress
        self.peerAddress = peerAddress
        self.viaTrustedProxy = viaTrustedProxy
        self.isTrustedAddress = isTrustedAddress
        self.isSecure = isSecure
        self.isWebSocket = isWebSocket
        // The system's generator is cryptographically secure.
        var generator = SystemRandomNumberGenerator()
        token = (generator.next(), generator.next())
    }

    /// A copy without room to grow: it is kept as long as the session.
    private static func kept(of headers: HTTPHeaders) -> HTTPHeaders {
        let isSpent = { (name: String) in
            name.utf8.count > 16
                && ["sec-websocket-key", "sec-websocket-version"].contains(name.lowercased())
        }
        var kept: [(String, String)] = []
        kept.reserveCapacity(headers.count { !isSpent($0.name) })
        for (name, value) in headers where !isSpent(name) { kept.append((name, value)) }
        return HTTPHeaders(kept)
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// What limits of an address count by: `remoteAddress`, of IPv6 the first 64 bits. Nil where
    /// the address is trusted and has no such limits.
    public var limitedAddress: String? {
        isTrustedAddress ? nil : AddressBook.key(of: remoteAddress)
    }

    /// Revision of the Engine.IO protocol that the client speaks: 4, or 3 for clients of
    /// Socket.IO 1 and 2.
    public var protocolRevision: Int { wireForm.revision == .three ? 3 : 4 }

    /// How the session's packets are spelled.
    var wireForm: WireForm {
        let revision = queryItem("EIO").flatMap(ProtocolRevision.init(rawValue:))
        return WireForm(revision ?? .four, b64: queryItem("b64"))
    }

    /// The first query item of that name.
    public func queryItem(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }

    /// The first cookie of that name, as sent.
    public func cookie(_ name: String) -> String? {
        for header in headers["cookie"] {
            for pair in header.split(separator: ";") {
                let parts = pair.split(
                    separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                if parts.count == 2, parts[0].trimmingSpaces() == name {
                    return String(parts[1].trimmingSpaces())
                }
            }
        }
        return nil
    }

    /// The `Origin` header: where the browser's page is from.
    public var origin: String? { headers.first(name: "origin") }
}

extension Substring {
    /// Without spaces and tabs at both ends.
    func trimmingSpaces() -> Substring {
        var slice = self[...]
        while let first = slice.first, first == " " || first == "\t" { slice.removeFirst() }
        while let last = slice.last, last == " " || last == "\t" { slice.removeLast() }
        return slice
    }
}
