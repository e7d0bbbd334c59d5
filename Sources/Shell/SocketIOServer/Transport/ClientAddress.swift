import NIOHTTP1

/// Who a request comes from, after the proxies that are trusted to say so.
struct ClientAddress: Sendable {
    let remote: String
    let peer: String
    let viaTrustedProxy: Bool
    /// Whether `remote` is itself trusted: nobody came from beyond it.
    let isTrusted: Bool
    let isSecure: Bool

    /// - Parameter peer: the address at the other end of the connection.
    init(peer: String, headers: HTTPHeaders, trusted: [AddressRange]) {
        self.peer = peer
        func isTrusted(_ address: String) -> Bool { trusted.cover(address) }
        let forwarded = headers[canonicalForm: "x-forwarded-for"]
        guard !forwarded.isEmpty, isTrusted(peer) else {
            remote = peer
            self.isTrusted = isTrusted(peer)
            viaTrustedProxy = false
            isSecure = false
            return
        }
        // Each proxy appends whom it spoke to: the last one not trusted is the client. What
        // stands before it the client may have invented.
        let hops = forwarded.map(Self.withoutPort)
        let client = hops.last { !isTrusted($0) }
        remote = client ?? hops[0]
        self.isTrusted = client == nil
        viaTrustedProxy = true
        isSecure = headers.first(name: "x-forwarded-proto")?.lowercased() == "https"
    }

    /// `1.2.3.4:5` and `[::1]:5` without the port; some proxies send it.
    private static func withoutPort(_ hop: Substring) -> String {
        if hop.hasPrefix("["), let end = hop.firstIndex(of: "]") {
            return String(hop[hop.index(after: hop.startIndex)..<end])
        }
        let parts = hop.split(separator: ":", omittingEmptySubsequences: false)
        return String(parts.count == 2 ? parts[0] : hop)
    }
}
