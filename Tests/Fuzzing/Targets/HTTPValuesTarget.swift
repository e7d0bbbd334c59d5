import NIOHTTP1

@testable import SocketIOServer

extension FuzzTarget {
    /// A request target on the first line and header lines after it, as values: no server, so many
    /// more of them in a second.
    static let httpValues = FuzzTarget(name: "http-values", maxBytes: 4 << 10) { input in
        var lines = String(decoding: input, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        let uri = String(lines.removeFirst())
        var headers = HTTPHeaders()
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            // The parser lets no other names through, and NIO's headers trap on them.
            guard parts.count == 2, parts[0].utf8.allSatisfy({ $0 < 0x80 }) else { continue }
            headers.add(name: String(parts[0]), value: String(parts[1]))
        }
        try checkTarget(uri)
        try checkAddress(headers)
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
        _ = WebSocketUpgrade.isRequested(by: head)
        if let upgrade = WebSocketUpgrade(head) {
            let given = headers.map { ($0.name, $0.value) }
            let text = String(buffer: upgrade.response(headers: given))
            try require(text.hasSuffix("\r\n\r\n"), "the answer does not end")
            let blank = text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
                .count { $0.elementsEqual([0x0D]) }
            try require(blank == 1, "a header ends the answer early")
        }
        var answer = HTTPHeaders()
        CrossOrigin(headers, allows: { $0.utf8.count % 2 == 0 }).apply(to: &answer)
        try require(answer["access-control-allow-origin"].count <= 1, "two origins allowed")
        let request = HandshakeRequest(
            method: .GET, path: uri, query: [], headers: headers, remoteAddress: "",
            peerAddress: "", isWebSocket: true)
        _ = (request.cookie("tandem_resume"), request.origin)
    }

    private static func checkTarget(_ uri: String) throws {
        let target = RequestTarget(uri)
        try require(!target.path.contains("?"), "a query in the path")
        try require(target.path.utf8.count <= max(uri.utf8.count, 1), "the path grew")
        for item in target.query {
            try require(
                target.item(item.name) != nil, "an item of the query that is not found")
        }
    }

    private static func checkAddress(_ headers: HTTPHeaders) throws {
        let own = ClientAddress(peer: "192.0.2.9", headers: headers, trusted: AddressRange.loopback)
        try require(
            own.remote == "192.0.2.9" && !own.viaTrustedProxy && !own.isSecure,
            "a peer that is not trusted is believed")
        let proxied = ClientAddress(
            peer: "127.0.0.1", headers: headers, trusted: AddressRange.loopback)
        try require(proxied.peer == "127.0.0.1", "the peer changes")
    }
}
