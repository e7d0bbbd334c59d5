/// A server of the ring: its name as nginx's `server` line spells it, and its weight.
///
/// The spelling decides who owns what: `127.0.0.1:3001` and `localhost:3001` are two different
/// places on the ring, even where they are one machine.
package struct RingServer: Sendable, Hashable {
    package let name: String
    package let weight: Int

    /// A weight beyond this is refused: a server has 160 points for each unit of weight.
    package static let maxWeight = 1_000

    /// Nil for an empty name, or a weight outside `1...maxWeight`.
    package init?(name: String, weight: Int = 1) {
        guard !name.isEmpty, (1...Self.maxWeight).contains(weight) else { return nil }
        self.name = name
        self.weight = weight
    }

    /// What nginx hashes: host, a zero byte, and the digits after the last colon.
    ///
    /// - `unix:/run/a.sock` counts without its prefix (in any case) and without a port.
    /// - A port is what follows the last colon if it is all digits, even if there are none; a
    ///   name without such a colon is all host.
    ///
    /// Source: nginx ngx_http_upstream_hash_module.c, ngx_http_upstream_init_chash.
    var hashedBytes: [UInt8] {
        let name = Array(self.name.utf8)
        let prefix = Array("unix:".utf8)
        if name.count >= prefix.count, zip(name, prefix).allSatisfy({ $0 | 0x20 == $1 | 0x20 }) {
            return name.dropFirst(prefix.count) + [0]
        }
        let digits = name.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        let colon = name.count - digits.count - 1
        guard colon >= 0, name[colon] == UInt8(ascii: ":") else { return name + [0] }
        return name[..<colon] + [0] + name[(colon + 1)...]
    }
}
