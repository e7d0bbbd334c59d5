import Glibc

/// A server that is put under load: plain HTTP, an IPv4 address.
package struct ServerAddress: Sendable, Hashable {
    package let url: String
    let host: String
    let port: UInt16
    /// Path of the Socket.IO end point, `/socket.io/` where the URL has none.
    let path: String
    /// In the order of the network.
    let address: UInt32

    /// - Parameter url: `http://host[:port][/path]` or `ws://…`.
    package init(_ url: String) throws(LoadError) {
        var rest = Substring(url)
        if let scheme = url.range(of: "://") {
            let name = url[..<scheme].lowercased()
            rest = url[url.index(scheme, offsetBy: 3)...]
            guard name == "http" || name == "ws" else {
                let tls = name == "https" || name == "wss"
                throw .usage(
                    "--url \(url): "
                        + (tls
                            ? "TLS is not spoken here; give the address of the server behind the"
                                + " proxy that ends TLS, as http://…" : "not http:// or ws://"))
            }
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        let path = String(rest[slash...])
        let colon = authority.lastIndex(of: ":")
        let host = String(authority[..<(colon ?? authority.endIndex)])
        let portText = colon.map { authority[authority.index(after: $0)...] }
        guard !host.isEmpty, let port = portText.map({ UInt16($0) }) ?? 80, port > 0 else {
            throw .usage("--url \(url): expected http://host:port")
        }
        self.url = url
        self.host = host
        self.port = port
        self.path = path.isEmpty || path == "/" ? "/socket.io/" : path
        address = try Self.resolve(host, url)
    }

    var isLoopback: Bool { UInt32(bigEndian: address) >> 24 == 127 }

    /// `host:port`, as the Host header and messages have it.
    var authority: String { "\(host):\(port)" }

    private static func resolve(_ host: String, _ url: String) throws(LoadError) -> UInt32 {
        var hints = addrinfo()
        hints.ai_family = AF_INET
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0, let found = list?.pointee.ai_addr else {
            throw .usage("--url \(url): \(host) has no IPv4 address")
        }
        return found.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            $0.pointee.sin_addr.s_addr
        }
    }

    /// The request that opens a WebSocket.
    ///
    /// - Parameter headers: whole lines without their ends.
    func handshake(query: String = "", headers: [String]) -> [UInt8] {
        var text = "GET \(path)?EIO=4&transport=websocket\(query) HTTP/1.1\r\n"
        text += "Host: \(authority)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        text += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: \(Self.key)\r\n"
        for line in headers { text += line + "\r\n" }
        return Array((text + "\r\n").utf8)
    }

    /// The key and its answer that RFC 6455 § 1.3 has as an example.
    static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    static let acceptToken = Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)
}

extension String {
    fileprivate func range(of text: String) -> String.Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { return index }
            index = self.index(after: index)
        }
        return nil
    }
}
