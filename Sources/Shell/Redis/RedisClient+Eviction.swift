import Logging
import NIOCore

extension RedisClient {
    /// Asks whether the server drops keys, which would be rooms. On the loop; only where the
    /// connection may use `INFO`: a refusal would count as a store that takes no writes.
    func askAboutEviction() {
        guard let connection = commands.connection, commands.greeting?.runID != nil else { return }
        connection.send(["INFO", "memory"])
            .and(connection.send(["INFO", "stats"]))
            .whenSuccess { memory, stats in
                guard let memory = memory.string, let stats = stats.string else { return }
                self.learned(RedisEviction(memory: memory, stats: stats))
            }
    }

    private func learned(_ eviction: RedisEviction?) {
        let old = figures.eviction
        figures.eviction = eviction
        publishStatus()
        guard let eviction, eviction.isHarmful, eviction != old else { return }
        logger.error(
            "Redis drops keys when it is full, and with them rooms: set maxmemory-policy noeviction",
            metadata: [
                "policy": "\(eviction.policy)", "maxmemory": "\(eviction.maxMemoryBytes)",
                "evicted": "\(eviction.evictedKeys)",
            ])
    }
}
