import Cluster
import Logging
import NIOCore
import NIOPosix
import Redis
import RoomService
import RoomStore
import SocketIOServer

/// Everything that the environment decides.
struct Settings: Sendable {
    var host = "0.0.0.0"
    var port = 3001
    var node: ClusterNode
    var nodes: ClusterNodes
    /// Nil: embedded mode.
    var redis: RedisConfiguration?
    /// Held for Redis while it is away.
    var maxDegradedBytes = RoomStoreLimits().localBytes
    /// Whether the rooms' broadcasts are published for Node servers too.
    var mirrorsOfficially = false
    /// Whether stock clients come back after a break as who they were.
    var connectionRecovery = Switch.on
    var origins: OriginPolicy
    var trustedProxies = AddressRange.loopback
    var pingInterval: Duration = .seconds(5)
    var pingTimeout: Duration = .seconds(9)
    /// How long the server waits for a pong: as long as a browser that parses a big scene may
    /// need, and by default so short that nobody whose network died is in a list for 15 s.
    var pongPatience: Duration { max(.seconds(9), pingTimeout) }
    var maxPayloadBytes = 16 * 1024 * 1024 + 64 * 1024
    var limits = ClientLimits()
    var hostGrace: Duration = .seconds(60)
    var emptyRoomTTL: Duration = .seconds(3_600)
    var heartbeatInterval: Duration = .seconds(1)
    var nodeLease: Duration = .seconds(5)
    var drainDelay: Duration = .seconds(2)
    var drainWindow: Duration = .seconds(2)
    var language = Messages.Language.english
    var clientDirectory = ".tandem/client"
    var eventLoops = System.coreCount
    var adminToken: String?
    var logLevel = Logger.Level.info
    var logFormat = LogFormat.text

    enum LogFormat: String, Sendable, CaseIterable {
        case text, json
    }

    enum Switch: String, Sendable, CaseIterable {
        case on, off
    }

    /// What is wrong with the environment, every problem of it.
    struct Invalid: Error, CustomStringConvertible {
        let problems: [String]
        var description: String { problems.joined(separator: "\n") }
    }

    /// - Parameters:
    ///   - environment: of the process; it wins over the file.
    ///   - file: an env file, if one was named.
    init(environment: [String: String], file: EnvironmentFile? = nil) throws(Invalid) {
        var values = file?.values ?? [:]
        values.merge(environment.filter { !$0.value.isEmpty }) { $1 }
        var reader = SettingsReader(values, problems: file?.problems ?? [])
        host = reader.string(.host) ?? host
        port = reader.integer(.port, 1...65_535, default: port)
        nodes = Self.placeholder
        node = Self.placeholder.nodes[0]
        origins = OriginPolicy(patterns: [])
        readCluster(&reader)
        redis = Self.readRedis(&reader)
        maxDegradedBytes = reader.integer(
            .maxDegradedBytes, 65_536...1 << 40, default: maxDegradedBytes)
        mirrorsOfficially = reader.integer(.relayOfficial, 0...1, default: 0) == 1
        if mirrorsOfficially, redis == nil {
            reader.report(.relayOfficial, "it needs Redis: set REDIS_URL or REDIS_HOST")
        }
        connectionRecovery = reader.choice(.connectionRecovery, default: connectionRecovery)
        readClients(&reader)
        limits = ClientLimits(&reader)
        readTimes(&reader)
        language = reader.choice(.clientLanguage, default: language)
        clientDirectory = reader.string(.clientDirectory) ?? clientDirectory
        eventLoops = reader.integer(.eventLoops, 1...256, default: eventLoops)
        if let token = reader.string(.adminToken) {
            if token.utf8.count < 16 { reader.report(.adminToken, "at least 16 characters") }
            adminToken = token
        }
        logLevel = reader.choice(.logLevel, default: logLevel)
        logFormat = reader.choice(.logFormat, default: logFormat)
        guard reader.problems.isEmpty else { throw Invalid(problems: reader.problems) }
    }

    var isEmbedded: Bool { redis == nil }

    private static let placeholder = alone(id: "server-1", port: 3001, url: nil)

    private static func alone(id: String, port: Int, url: PublicURL?) -> ClusterNodes {
        let text = "\(id)=127.0.0.1:\(port)=\(url?.text ?? "http://localhost:\(port)")"
        guard let nodes = try? ClusterNodes(parsing: text) else {
            preconditionFailure("a node of a checked id, port and URL parses")
        }
        return nodes
    }

    // MARK: Parts

    private mutating func readCluster(_ reader: inout SettingsReader) {
        let url = publicURL(&reader)
        if let text = reader.string(.clusterNodes) {
            do throws(ClusterNodesError) {
                nodes = try ClusterNodes(parsing: text)
            } catch {
                for problem in error.problems { reader.report(.clusterNodes, "\(problem)") }
                return
            }
        }
        guard let id = reader.string(.instanceID) ?? defaultID(reader) else {
            return reader.report(
                .instanceID, "needed, because not just one node of CLUSTER_NODES has PORT \(port)")
        }
        guard ClusterNode.isValidID(id) else {
            return reader.report(
                .instanceID, "'\(id)' is not made of letters, digits, '.', '_' and '-' alone")
        }
        guard reader.string(.clusterNodes) != nil else {
            nodes = Self.alone(id: id, port: port, url: url)
            node = nodes.nodes[0]
            return
        }
        guard let own = nodes[id: id] else {
            return reader.report(.instanceID, "'\(id)' is not among the ids of CLUSTER_NODES")
        }
        node = own
        if let url, url != own.publicURL {
            reader.report(
                .publicURL, "\(url) differs from \(own.publicURL) in CLUSTER_NODES: drop one")
        }
    }

    private func publicURL(_ reader: inout SettingsReader) -> PublicURL? {
        guard let text = reader.string(.publicURL) else { return nil }
        do throws(PublicURL.Problem) {
            return try PublicURL(text)
        } catch {
            reader.report(.publicURL, "'\(text)' is no URL for this: \(error.explanation)")
            return nil
        }
    }

    /// The node whose upstream has this port. Nil where several have it, or none of several: two
    /// instances must not take the same name by default. Without a list of nodes too the port makes
    /// the name, so that any number can be started beside one another: server-1 for 3001, server-2
    /// for 3002, as the editor's page counts them; server-8080 for 8080.
    private func defaultID(_ reader: SettingsReader) -> String? {
        guard reader.string(.clusterNodes) != nil else {
            return "server-\((3_001...3_999).contains(port) ? port - 3_000 : port)"
        }
        if nodes.nodes.count == 1 { return nodes.nodes[0].id }
        let fitting = nodes.nodes.filter { $0.upstream.hasSuffix(":\(port)") }
        return fitting.count == 1 ? fitting[0].id : nil
    }

    private static func readRedis(_ reader: inout SettingsReader) -> RedisConfiguration? {
        var configuration: RedisConfiguration?
        if let url = reader.string(.redisURL) {
            if reader.string(.redisHost) != nil {
                reader.report(.redisHost, "REDIS_URL is set too: set one of them")
            }
            for variable in [Variable.redisUsername, .redisPassword]
            where reader.string(variable) != nil {
                reader.report(variable, "REDIS_URL is set too: write it into the URL")
            }
            do throws(RedisURLError) {
                configuration = try RedisConfiguration(url: url)
            } catch {
                reader.report(.redisURL, "\(error)")
            }
        } else if let host = reader.string(.redisHost) {
            let port = reader.integer(.redisPort, 1...65_535, default: 6379)
            configuration = RedisConfiguration(address: RedisAddress(host: host, port: port))
            configuration?.username = reader.string(.redisUsername)
            configuration?.password = reader.string(.redisPassword).map { RedisSecret($0) }
            configuration?.database = reader.integer(.redisDatabase, 0...65_535, default: 0)
        }
        if let text = reader.string(.redisSentinels) {
            do throws(RedisURLError) {
                let sentinels = try RedisSentinels(parsing: text)
                if configuration == nil {
                    configuration = RedisConfiguration(address: sentinels.addresses[0])
                    configuration?.username = reader.string(.redisUsername)
                    configuration?.password =
                        reader.string(.redisPassword).map { RedisSecret($0) }
                    configuration?.database = reader.integer(
                        .redisDatabase, 0...65_535, default: 0)
                }
                configuration?.sentinels = sentinels
            } catch {
                reader.report(.redisSentinels, "\(error)")
            }
        }
        return configuration
    }

    private mutating func readClients(_ reader: inout SettingsReader) {
        let own = nodes.nodes.map(\.publicURL.text)
        origins = OriginPolicy(patterns: reader.list(.corsOrigins) ?? (OriginPolicy.local + own))
        if let texts = reader.list(.trustedProxies) {
            trustedProxies = []
            for text in texts {
                if let range = AddressRange(text) {
                    trustedProxies.append(range)
                } else {
                    reader.report(.trustedProxies, "'\(text)' is neither an address nor a range")
                }
            }
        }
        maxPayloadBytes = reader.integer(
            .maxHTTPBufferSize, 16_000_000...64_000_000, default: maxPayloadBytes)
    }

    private mutating func readTimes(_ reader: inout SettingsReader) {
        pingInterval = reader.milliseconds(.pingInterval, 100...300_000, default: 5_000)
        pingTimeout = reader.milliseconds(.pingTimeout, 100...300_000, default: 9_000)
        hostGrace = reader.milliseconds(.hostGrace, 0...86_400_000, default: 60_000)
        emptyRoomTTL = reader.milliseconds(
            .emptyRoomTTL, 1_000...2_592_000_000, default: 3_600_000)
        heartbeatInterval = reader.milliseconds(.heartbeatInterval, 100...10_000, default: 1_000)
        nodeLease = reader.milliseconds(.nodeLease, 500...60_000, default: 5_000)
        drainDelay = reader.milliseconds(.drainDelay, 0...60_000, default: 2_000)
        drainWindow = reader.milliseconds(.drainWindow, 0...600_000, default: 2_000)
        if nodeLease < heartbeatInterval * 3 {
            reader.report(.nodeLease, "it must be at least three times HEARTBEAT_INTERVAL")
        }
    }
}
