import HashRing

/// The instances of `CLUSTER_NODES`, in the order written, which is nginx's order too.
///
///     server-1=127.0.0.1:3001=http://localhost:3001,server-2=127.0.0.1:3002=http://localhost:3002=2
///
/// An item is id = upstream = public URL, and = weight where that is not 1. Blanks around items
/// and fields do not count, nor do empty items.
package struct ClusterNodes: Sendable, Hashable {
    package let nodes: [ClusterNode]

    /// More are refused: the ring is kept in memory, and every instance probes every other.
    package static let maxNodes = 64

    /// Throws with every problem of the text, not with the first only.
    package init(parsing text: String) throws(ClusterNodesError) {
        var problems: [ClusterNodesError.Problem] = []
        var nodes: [ClusterNode] = []
        var ids: Set<Substring> = []
        var upstreams: Set<Substring> = []
        for item in text.split(separator: ",").map(trimmed) where !item.isEmpty {
            let fields = item.split(separator: "=", omittingEmptySubsequences: false).map(trimmed)
            guard (3...4).contains(fields.count) else {
                problems.append(.shape(item: String(item)))
                continue
            }
            if !ClusterNode.isValidID(fields[0]) { problems.append(.badID(String(fields[0]))) }
            if !ids.insert(fields[0]).inserted { problems.append(.duplicateID(String(fields[0]))) }
            if Authority(fields[1])?.port == nil {
                problems.append(.badUpstream(String(fields[1])))
            }
            if !upstreams.insert(fields[1]).inserted {
                problems.append(.duplicateUpstream(String(fields[1])))
            }
            let weight = fields.count == 4 ? Int(fields[3]) : 1
            let server = weight.flatMap { RingServer(name: String(fields[1]), weight: $0) }
            if server == nil, !fields[1].isEmpty { problems.append(.badWeight(String(fields[3]))) }
            do throws(PublicURL.Problem) {
                let url = try PublicURL(String(fields[2]))
                guard let server else { continue }
                nodes.append(ClusterNode(id: String(fields[0]), server: server, publicURL: url))
            } catch {
                problems.append(.badURL(String(fields[2]), error))
            }
        }
        if nodes.isEmpty && problems.isEmpty { problems.append(.empty) }
        if nodes.count > Self.maxNodes { problems.append(.tooMany(nodes.count)) }
        guard problems.isEmpty else { throw ClusterNodesError(problems: problems) }
        self.nodes = nodes
    }

    /// One instance that is alone: the embedded mode.
    package init(alone node: ClusterNode) {
        nodes = [node]
    }

    package subscript(id id: String) -> ClusterNode? { nodes.first { $0.id == id } }
}

/// Everything that is wrong with a `CLUSTER_NODES` text.
package struct ClusterNodesError: Error, Sendable, Hashable, CustomStringConvertible {
    package let problems: [Problem]

    package var description: String { problems.map(\.description).joined(separator: "; ") }

    package enum Problem: Sendable, Hashable, CustomStringConvertible {
        case empty
        case tooMany(Int)
        case shape(item: String)
        case badID(String)
        case duplicateID(String)
        case badUpstream(String)
        case duplicateUpstream(String)
        case badURL(String, PublicURL.Problem)
        case badWeight(String)

        package var description: String {
            switch self {
            case .empty: "CLUSTER_NODES names no instance"
            case .tooMany(let count):
                "CLUSTER_NODES names \(count) instances, at most \(ClusterNodes.maxNodes) are possible"
            case .shape(let item):
                "\"\(item)\" is not id=host:port=public-url or id=host:port=public-url=weight"
            case .badID(let id):
                "the id \"\(id)\" is not 1 to 64 letters, digits, dots, hyphens or underscores"
            case .duplicateID(let id): "the id \"\(id)\" occurs twice"
            case .badUpstream(let text): "the upstream \"\(text)\" is not host:port"
            case .duplicateUpstream(let text): "the upstream \"\(text)\" occurs twice"
            case .badURL(let text, let problem):
                "the public URL \"\(text)\" cannot be used: \(problem.explanation)"
            case .badWeight(let text):
                "the weight \"\(text)\" is not a number from 1 to \(RingServer.maxWeight)"
            }
        }
    }
}

/// Without blanks at both ends.
func trimmed(_ text: Substring) -> Substring {
    var text = text
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}
