/// What a server says of keys that it drops when it is full. A store of rooms must drop none.
package struct RedisEviction: Sendable, Hashable {
    /// `noeviction`, `allkeys-lru`, …
    package var policy: String
    /// 0: no limit, and so nothing is dropped whatever the policy says.
    package var maxMemoryBytes: Int
    /// Keys dropped since the server was started.
    package var evictedKeys: Int

    package var isPossible: Bool { maxMemoryBytes > 0 && policy != "noeviction" }

    /// Keys have been dropped, or can be.
    package var isHarmful: Bool { isPossible || evictedKeys > 0 }

    /// Reads the sections `memory` and `stats` of `INFO`; nil where a field is missing.
    package init?(memory: String, stats: String) {
        guard let policy = RedisGreeting.infoField("maxmemory_policy", in: memory),
            let limit = RedisGreeting.infoField("maxmemory", in: memory).flatMap({ Int($0) }),
            let evicted = RedisGreeting.infoField("evicted_keys", in: stats).flatMap({ Int($0) })
        else { return nil }
        self.policy = policy
        maxMemoryBytes = limit
        evictedKeys = evicted
    }
}
