import JSON
import NIOCore

/// Where the answers of the HTTP routes come from.
///
/// Methods are called from any loop and do not block. Nothing that they return but the admin
/// reports may hold a socket id, an address of Redis or a secret: it is shown to everybody.
package protocol StatusSource: Sendable {
    /// Who answers.
    func instance() -> InstanceReport
    /// How it is; asked several times a second by probes.
    func health() -> HealthReport
    func stats() -> StatsReport
    /// Items as the event `rooms-list` has them, encoded by the same code.
    func rooms() -> EventLoopFuture<[JSONValue]>
    /// Where a room belongs. The id is checked already.
    func placement(of roomID: String) -> PlacementReport
    /// Adds what `HealthReport` and `StatsReport` do not have.
    func collectMetrics(into samples: inout MetricSamples)
    func adminReport() -> EventLoopFuture<AdminReport>
    /// Nil if there is no such room.
    func adminRoom(_ id: String) -> EventLoopFuture<AdminRoomReport?>
}

package struct InstanceReport: Sendable, Hashable {
    package var id: String
    /// `server-1#9f86d081884c7d65`.
    package var incarnation: String
    package var publicURL: String
    package var version: String
    /// Monotonic, since the start of the process.
    package var uptime: Duration
    /// Every configured instance, own included, in the order of the configuration.
    package var nodes: [NodeReport]

    package init(
        id: String, incarnation: String, publicURL: String, version: String, uptime: Duration,
        nodes: [NodeReport]
    ) {
        self.id = id
        self.incarnation = incarnation
        self.publicURL = publicURL
        self.version = version
        self.uptime = uptime
        self.nodes = nodes
    }
}

/// One configured instance as this one sees it.
package struct NodeReport: Sendable, Hashable {
    package var id: String
    package var url: String
    /// A word of `PeerState`.
    package var state: String
    /// Whether rooms can be placed there.
    package var isAlive: Bool
    package var weight: Int

    package init(id: String, url: String, state: String, isAlive: Bool, weight: Int) {
        self.id = id
        self.url = url
        self.state = state
        self.isAlive = isAlive
        self.weight = weight
    }
}

package struct HealthReport: Sendable, Hashable {
    package var status: Status
    /// Whether new clients should be sent here.
    package var isReady: Bool
    package var isDraining: Bool
    /// Whether the store that instances share is reached.
    package var isLinked: Bool
    /// Why it is not healthy, or not ready; empty if it is both.
    package var reasons: [Reason]
    package var redis: Redis

    package init(
        status: Status, isReady: Bool, isDraining: Bool, isLinked: Bool, reasons: [Reason],
        redis: Redis
    ) {
        self.status = status
        self.isReady = isReady
        self.isDraining = isDraining
        self.isLinked = isLinked
        self.reasons = reasons
        self.redis = redis
    }

    package enum Status: String, Sendable, Hashable, CaseIterable {
        case starting, healthy, degraded, draining
    }

    /// A word for programs and a sentence for people, without addresses and secrets.
    package struct Reason: Sendable, Hashable {
        /// `REDIS_UNREACHABLE`, `DRAINING`.
        package var code: String
        package var message: String

        package init(code: String, message: String) {
            self.code = code
            self.message = message
        }
    }

    package struct Redis: Sendable, Hashable {
        /// `none` in embedded mode, else `single` or `sentinel`.
        package var mode: String
        package var isConnected: Bool
        /// Of the last ping that was answered.
        package var latency: Duration?

        package init(mode: String, isConnected: Bool, latency: Duration? = nil) {
            self.mode = mode
            self.isConnected = isConnected
            self.latency = latency
        }
    }
}

package struct StatsReport: Sendable, Hashable {
    /// Open Socket.IO clients of this instance.
    package var clients: Int
    package var webSocketClients: Int
    /// Clients of this instance that are in a room.
    package var members: Int
    /// Rooms that this instance serves.
    package var rooms: Int
    /// Rooms and clients of all living instances, where that is known.
    package var clusterRooms: Int?
    package var clusterClients: Int?
    package var messagesReceived: Int
    package var messagesSent: Int

    package init(
        clients: Int, webSocketClients: Int, members: Int, rooms: Int, clusterRooms: Int? = nil,
        clusterClients: Int? = nil, messagesReceived: Int = 0, messagesSent: Int = 0
    ) {
        self.clients = clients
        self.webSocketClients = webSocketClients
        self.members = members
        self.rooms = rooms
        self.clusterRooms = clusterRooms
        self.clusterClients = clusterClients
        self.messagesReceived = messagesReceived
        self.messagesSent = messagesSent
    }
}

package struct PlacementReport: Sendable, Hashable {
    /// The node that the ring names among those alive; the configured owner if nobody is.
    package var owner: NodeReport
    /// The node that the ring names if all live.
    package var configuredOwnerID: String

    package init(owner: NodeReport, configuredOwnerID: String) {
        self.owner = owner
        self.configuredOwnerID = configuredOwnerID
    }
}

/// What only the holder of the admin token sees.
package struct AdminReport: Sendable, Hashable {
    /// `host:port/db`, without password; nil in embedded mode.
    package var redisAddress: String?
    /// Anything else worth knowing, by name.
    package var details: JSONValue

    package init(redisAddress: String?, details: JSONValue) {
        self.redisAddress = redisAddress
        self.details = details
    }
}

package struct AdminRoomReport: Sendable, Hashable {
    package var id: String
    package var version: UInt64
    package var isProtected: Bool
    package var members: [Member]

    package init(id: String, version: UInt64, isProtected: Bool, members: [Member]) {
        self.id = id
        self.version = version
        self.isProtected = isProtected
        self.members = members
    }

    package struct Member: Sendable, Hashable {
        package var id: String
        package var name: String
        package var isHost: Bool
        /// The incarnation that holds the member.
        package var holder: String
        /// Unix milliseconds.
        package var joinedAt: Int64

        package init(id: String, name: String, isHost: Bool, holder: String, joinedAt: Int64) {
            self.id = id
            self.name = name
            self.isHost = isHost
            self.holder = holder
            self.joinedAt = joinedAt
        }
    }
}
