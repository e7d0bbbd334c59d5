import HashRing

/// The owners of many ids, for comparing this ring with another's.
///
/// Nodes are given as `name` or `name=weight`, between commas: `127.0.0.1:3001,127.0.0.1:3002=3`.
/// Those of `down` (names between commas) have their points and are passed over.
package struct RingReport: Sendable {
    private let ring: HashRing
    private let down: Set<Int>

    /// Throws with every item that is no server.
    package init(nodes text: String, down: String = "") throws(Problem) {
        var refused: [String] = []
        let servers: [RingServer] = text.split(separator: ",").map(trimmed).compactMap { item in
            let fields = item.split(separator: "=", omittingEmptySubsequences: false)
            let weight = fields.count == 2 ? Int(fields[1]) : 1
            guard fields.count <= 2, let weight,
                let server = RingServer(name: String(fields[0]), weight: weight)
            else {
                refused.append(String(item))
                return nil
            }
            return server
        }
        guard refused.isEmpty, !servers.isEmpty else { throw Problem(items: refused) }
        ring = HashRing(servers: servers)
        let names = Set(down.split(separator: ",").map { String(trimmed($0)) })
        self.down = Set(servers.indices.filter { names.contains(servers[$0].name) })
    }

    /// `id<TAB>owner`; the owner of an empty id is `-`.
    package func line(for id: String) -> String {
        let owner = ring.owner(of: id) { !down.contains($0) }
        return "\(id)\t\(owner.map { ring.servers[$0].name } ?? "-")"
    }

    /// A line for each id, in order.
    package func lines(for ids: some Sequence<String>) -> [String] { ids.map(line) }

    package struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
        package let items: [String]

        package var description: String {
            items.isEmpty
                ? "no server named"
                : "not name or name=weight (1 to \(RingServer.maxWeight)): "
                    + items.joined(separator: ", ")
        }
    }
}
