/// The consistent-hash ring of nginx's `hash KEY consistent`, bit for bit.
///
/// Each server has 160 points for each unit of weight. A point is the CRC-32 of the server's
/// hashed bytes and of the point before it as four little-endian bytes (zeros before the first).
/// Points are sorted; of equal ones the first configured stays. A key belongs to the first point
/// at or after its own CRC-32, and past the last point to the first.
///
/// Source: nginx ngx_http_upstream_hash_module.c.
package struct HashRing: Sendable, Hashable {
    package let servers: [RingServer]
    private let points: [Point]

    private struct Point: Sendable, Hashable {
        let hash: UInt32
        let server: Int32
    }

    package static let pointsForWeightOne = 160

    package init(servers: [RingServer]) {
        self.servers = servers
        var all: [Point] = []
        all.reserveCapacity(servers.reduce(0) { $0 + $1.weight } * Self.pointsForWeightOne)
        for (index, server) in servers.enumerated() {
            Self.appendPoints(of: server, index: Int32(truncatingIfNeeded: index), to: &all)
        }
        all.sort { ($0.hash, $0.server) < ($1.hash, $1.server) }
        points = all.reduce(into: []) { kept, point in
            if kept.last?.hash != point.hash { kept.append(point) }
        }
    }

    private static func appendPoints(
        of server: RingServer, index: Int32, to points: inout [Point]
    ) {
        var base = CRC32()
        base.update(server.hashedBytes)
        var previous: UInt32 = 0
        for _ in 0..<(server.weight * pointsForWeightOne) {
            var crc = base
            for shift in stride(from: UInt32(0), to: 32, by: 8) {
                crc.update(UInt8(truncatingIfNeeded: previous >> shift))
            }
            previous = crc.value
            points.append(Point(hash: previous, server: index))
        }
    }

    /// How many different points the ring has.
    package var pointCount: Int { points.count }

    /// The index in `servers` of the key's owner, all servers alive. Nil for an empty key, which
    /// nginx gives to any server in turn, and on a ring without servers.
    package func owner(of key: String) -> Int? {
        owner(of: key) { _ in true }
    }

    /// The owner among living servers: the first alive on the way around the ring from the key.
    /// Nil if there is none.
    ///
    /// nginx takes the same way when a peer has failed, a point at a time, and after 21 points of
    /// unusable peers gives up and takes any peer in turn. With servers of like weight 21 points
    /// in a row of one server do not happen in practice; with very unlike weights nginx's choice
    /// for a dead heavy server is then anybody's, and this one is still everywhere the same.
    package func owner(of key: String, where isAlive: (Int) -> Bool) -> Int? {
        guard let start = firstPoint(of: key) else { return nil }
        var refused: Set<Int32> = []
        for offset in 0..<points.count {
            let server = points[(start + offset) % points.count].server
            if refused.contains(server) { continue }
            if isAlive(Int(server)) { return Int(server) }
            refused.insert(server)
            if refused.count == servers.count { return nil }
        }
        return nil
    }

    private func firstPoint(of key: String) -> Int? {
        guard !key.isEmpty, !points.isEmpty else { return nil }
        let hash = CRC32.checksum(of: key.utf8)
        var low = 0
        var high = points.count
        while low < high {
            let middle = (low + high) / 2
            if points[middle].hash < hash { low = middle + 1 } else { high = middle }
        }
        return low % points.count
    }
}
