import NIOCore

@testable import Cluster
@testable import Redis
@testable import SocketIOServer
@testable import tandem

extension FuzzTarget {
    /// What an operator writes: the environment file, CLUSTER_NODES, URLs, ranges, origins.
    static let settings = FuzzTarget(name: "settings", maxBytes: 4 << 10) { input in
        let text = String(decoding: input, as: UTF8.self)
        let file = EnvironmentFile(text: text, name: "file")
        do throws(Settings.Invalid) {
            let settings = try Settings(environment: [:], file: file)
            try? check(settings)
        } catch {
            try require(!error.problems.isEmpty, "refused without a reason")
        }
        if let nodes = try? ClusterNodes(parsing: text) { try check(nodes) }
        if let url = try? PublicURL(text) {
            try require((1...65_535).contains(url.port), "port \(url.port)")
            try require(url.isNamed(byOrigin: text), "\(text) does not name itself")
        }
        _ = try? RedisConfiguration(url: text)
        _ = try? RedisConfiguration(url: "redis://" + text)
        if let sentinels = try? RedisSentinels(parsing: text) {
            try require(!sentinels.addresses.isEmpty, "no Sentinels")
        }
        if let range = AddressRange(text) { _ = range.contains("10.0.0.1") }
        if let incarnation = Incarnation(text) {
            try require(Incarnation(incarnation.description) == incarnation, "incarnation")
        }
        try checkOrigins(text)
    }

    private static func check(_ settings: Settings) throws {
        try require(settings.nodes[id: settings.node.id] == settings.node, "the own node")
        try check(settings.nodes)
    }

    private static func check(_ nodes: ClusterNodes) throws {
        try require((1...ClusterNodes.maxNodes).contains(nodes.nodes.count), "count of nodes")
        try require(
            Set(nodes.nodes.map(\.id)).count == nodes.nodes.count, "an id occurs twice")
        let text = nodes.nodes
            .map { "\($0.id)=\($0.upstream)=\($0.publicURL)=\($0.server.weight)" }
            .joined(separator: ",")
        try require(try ClusterNodes(parsing: text) == nodes, "\(text) reads differently")
    }

    private static func checkOrigins(_ text: String) throws {
        let parts = text.split(separator: "\n", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return }
        let policy = OriginPolicy(patterns: [parts[0]])
        if !parts[0].contains("*"), parts[1].utf8.count <= 300 {
            try require(
                policy.allows(parts[1])
                    == parts[0].lowercased().utf8.elementsEqual(parts[1].lowercased().utf8),
                "\(parts[0]) and \(parts[1])")
        } else {
            _ = policy.allows(parts[1])
        }
    }
}
