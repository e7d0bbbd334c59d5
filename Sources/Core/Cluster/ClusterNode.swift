import HashRing

/// One configured instance.
package struct ClusterNode: Sendable, Hashable {
    /// `server-1`: letters, digits, `_`, `.`, `-`; at most 64 of them.
    package let id: String
    /// The place on the ring.
    package let server: RingServer
    package let publicURL: PublicURL

    package init(id: String, server: RingServer, publicURL: PublicURL) {
        self.id = id
        self.server = server
        self.publicURL = publicURL
    }

    /// `127.0.0.1:3001`: the name in nginx's `server` line, letter by letter. The ring hashes it,
    /// and other instances probe it.
    package var upstream: String { server.name }

    /// The upstream taken apart, an IPv6 host without its brackets.
    package var address: (host: String, port: Int)? {
        guard let colon = upstream.lastIndex(of: ":"),
            let port = Int(upstream[upstream.index(after: colon)...])
        else { return nil }
        let host = upstream[..<colon].drop { $0 == "[" }.prefix { $0 != "]" }
        return (String(host), port)
    }

    package static func isValidID(_ id: some StringProtocol) -> Bool {
        (1...64).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
                    UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}
