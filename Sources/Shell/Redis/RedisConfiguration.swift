import NIOSSL

/// A password or the like: never printed, not by `dump` or in a failed assertion either.
package struct RedisSecret: Sendable, Hashable, ExpressibleByStringLiteral {
    package let value: String

    package init(_ value: String) { self.value = value }
    package init(stringLiteral value: String) { self.value = value }
}

extension RedisSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<secret>" }
    package var debugDescription: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A host name or address with a port.
package struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// Where to ask for the address of the primary, instead of a fixed one.
package struct RedisSentinels: Sendable, Hashable {
    /// Asked in order, the one that answered last time first.
    package var addresses: [RedisAddress]
    package var primaryName: String
    package var username: String?
    package var password: RedisSecret?

    package init(addresses: [RedisAddress], primaryName: String = "mymaster") {
        self.addresses = addresses
        self.primaryName = primaryName
    }
}

/// Which Redis, as whom, and within which limits.
package struct RedisConfiguration: Sendable {
    /// The server; ignored where `sentinels` is set.
    package var address: RedisAddress
    /// nil is the ACL user `default`.
    package var username: String?
    package var password: RedisSecret?
    package var database: Int
    /// nil speaks in clear. Holds for Sentinels too.
    package var tls: TLSConfiguration?
    package var sentinels: RedisSentinels?
    /// Shown by `CLIENT LIST`; spaces and control characters are replaced.
    package var clientName = "tandem"
    /// Ends the name of the channel on which the client listens for itself. Unique a client.
    package var probeID: String?
    /// Off: no pub/sub connection, `subscribe` fails.
    package var subscribes = true
    package var limits = RedisLimits()

    package init(
        host: String = "127.0.0.1", port: Int = 6379, username: String? = nil,
        password: RedisSecret? = nil, database: Int = 0, tls: TLSConfiguration? = nil,
        sentinels: RedisSentinels? = nil
    ) {
        self.init(address: RedisAddress(host: host, port: port), database: database)
        self.username = username
        self.password = password
        self.tls = tls
        self.sentinels = sentinels
    }

    package init(address: RedisAddress, database: Int = 0) {
        self.address = address
        self.database = database
    }
}

extension RedisConfiguration: CustomStringConvertible {
    /// The server as a URL without credentials.
    package var description: String {
        let scheme = tls == nil ? "redis" : "rediss"
        if let sentinels {
            let list = sentinels.addresses.map(\.description).joined(separator: ",")
            return "\(scheme)://\(sentinels.primaryName)@\(list)/\(database)"
        }
        return "\(scheme)://\(address)/\(database)"
    }
}
