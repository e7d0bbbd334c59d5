/// Every variable of the environment that the program reads, once.
enum Variable: String, CaseIterable {
    case host = "HOST"
    case port = "PORT"
    case instanceID = "INSTANCE_ID"
    case publicURL = "PUBLIC_URL"
    case clusterNodes = "CLUSTER_NODES"
    case redisURL = "REDIS_URL"
    case redisHost = "REDIS_HOST"
    case redisPort = "REDIS_PORT"
    case redisUsername = "REDIS_USERNAME"
    case redisPassword = "REDIS_PASSWORD"
    case redisDatabase = "REDIS_DB"
    case redisSentinels = "REDIS_SENTINELS"
    case maxDegradedBytes = "MAX_DEGRADED_BYTES"
    case relayOfficial = "RELAY_OFFICIAL"
    case connectionRecovery = "CONNECTION_RECOVERY"
    case corsOrigins = "CORS_ORIGINS"
    case trustedProxies = "TRUSTED_PROXIES"
    case pingInterval = "PING_INTERVAL"
    case pingTimeout = "PING_TIMEOUT"
    case maxHTTPBufferSize = "MAX_HTTP_BUFFER_SIZE"
    case maxConnections = "MAX_CONNECTIONS"
    case maxConnectionsPerAddress = "MAX_CONNECTIONS_PER_ADDRESS"
    case maxConnectsPerSecond = "MAX_CONNECTS_PER_SECOND"
    case maxEventsPerSecond = "MAX_EVENTS_PER_SECOND"
    case maxEventsPerSecondPerAddress = "MAX_EVENTS_PER_SECOND_PER_ADDRESS"
    case maxRooms = "MAX_ROOMS"
    case maxRoomsPerMinute = "MAX_ROOMS_PER_MINUTE"
    case maxRoomMembers = "MAX_ROOM_MEMBERS"
    case hostGrace = "HOST_GRACE"
    case emptyRoomTTL = "EMPTY_ROOM_TTL"
    case heartbeatInterval = "HEARTBEAT_INTERVAL"
    case nodeLease = "NODE_LEASE"
    case drainDelay = "DRAIN_DELAY"
    case drainWindow = "DRAIN_WINDOW"
    case clientLanguage = "CLIENT_LANGUAGE"
    case clientDirectory = "CLIENT_DIR"
    case eventLoops = "EVENT_LOOPS"
    case adminToken = "ADMIN_TOKEN"
    case logLevel = "LOG_LEVEL"
    case logFormat = "LOG_FORMAT"

    /// One line for people: meaning, unit, default.
    var help: String {
        switch self {
        case .host: "address to listen on; default 0.0.0.0"
        case .port: "TCP port, 1 to 65535; default 3001"
        case .instanceID:
            "name of this instance, unique in the cluster; default: the one node of CLUSTER_NODES"
                + " with this PORT; without CLUSTER_NODES server-1 for port 3001, server-2 for 3002, …"
        case .publicURL:
            "URL under which browsers reach this instance; default: its entry in CLUSTER_NODES,"
                + " else http://localhost:PORT"
        case .clusterNodes:
            "all instances: id=upstream as in nginx.conf=public URL[=weight], comma separated;"
                + " default: this instance alone"
        case .redisURL:
            "redis[s]://[user[:password]@]host[:port][/db]; default: none, embedded mode"
        case .redisHost: "instead of REDIS_URL: host; default: none"
        case .redisPort: "with REDIS_HOST: port; default 6379"
        case .redisUsername: "with REDIS_HOST or Sentinels: ACL user; default: none"
        case .redisPassword: "with REDIS_HOST or Sentinels: password; default: none"
        case .redisDatabase: "with REDIS_HOST or Sentinels: database number; default 0"
        case .redisSentinels:
            "Sentinels, [primary@]host:port,host:port…; default: none; primary name default"
                + " mymaster"
        case .maxDegradedBytes:
            "bytes of edits that this instance holds for Redis while that is away, then edits are"
                + " refused; default 67108864"
        case .relayOfficial:
            "1: what is broadcast in rooms is published for Node servers with the official Redis"
                + " adapter too; default 0"
        case .connectionRecovery:
            "on or off: stock clients that reconnect come back as who they were, with what they"
                + " missed; default on"
        case .corsOrigins:
            "origins of pages that may connect, comma separated, * as wildcard; default: localhost"
                + " on any port and the public URLs of the cluster"
        case .trustedProxies:
            "addresses or CIDR ranges whose X-Forwarded-For is believed, comma separated; default:"
                + " loopback"
        case .pingInterval: "milliseconds between heartbeats to a client; default 5000"
        case .pingTimeout:
            "milliseconds after which a client gives this server up, beyond PING_INTERVAL;"
                + " default 9000"
        case .maxHTTPBufferSize: "bytes of the longest message; default 16842752"
        case .maxConnections: "open TCP connections of this instance; default 50000"
        case .maxConnectionsPerAddress:
            "connected clients of one address that is no trusted proxy; default 5000"
        case .maxConnectsPerSecond:
            "new clients of one such address in a second, five times that at once; default 200"
        case .maxEventsPerSecond:
            "events of one client in a second, four times that at once; default 500"
        case .maxEventsPerSecondPerAddress:
            "events of all clients of one such address in a second, twice that at once; default"
                + " 10000"
        case .maxRooms: "rooms of all instances together; default 100000"
        case .maxRoomsPerMinute: "rooms that one such address may create in a minute; default 300"
        case .maxRoomMembers: "members of one room, on all instances together; default 5000"
        case .hostGrace: "milliseconds that a disconnected host keeps the role; default 60000"
        case .emptyRoomTTL: "milliseconds that an empty room is kept; default 3600000"
        case .heartbeatInterval:
            "milliseconds between the heartbeats of an instance; default 1000"
        case .nodeLease:
            "milliseconds without a heartbeat after which an instance is dead; default 5000"
        case .drainDelay:
            "milliseconds between \"not ready\" and the first closed connection; default 2000"
        case .drainWindow:
            "milliseconds over which connections are closed on SIGTERM; default 2000"
        case .clientLanguage: "language of messages to people, en or es; default en"
        case .clientDirectory:
            "folder with the stock client socket.io.min.js, read at start; default .tandem/client"
        case .eventLoops: "threads that serve connections; default: one for each core"
        case .adminToken:
            "bearer token for /api/admin, at least 16 characters; default: none, switched off"
        case .logLevel: "trace, debug, info, notice, warning, error or critical; default info"
        case .logFormat: "text or json; default text"
        }
    }

    /// Whether the value must not be shown.
    var isSecret: Bool {
        switch self {
        case .redisURL, .redisPassword, .adminToken: true
        default: false
        }
    }
}
