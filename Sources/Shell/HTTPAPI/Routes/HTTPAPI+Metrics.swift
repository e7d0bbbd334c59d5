import NIOCore
import SocketIOServer

/// `/metrics`: the Prometheus text format, version 0.0.4.
extension HTTPAPI {
    /// - Parameter withMemory: figures of the process, which are not for everybody.
    func metricsPage(withMemory: Bool) -> HTTPResponse {
        var samples = MetricSamples()
        add(source.instance(), to: &samples)
        add(source.health(), to: &samples)
        add(source.stats(), to: &samples)
        if withMemory, let memory = ProcessMemory.residentBytes {
            samples.set(.processMemory, Double(memory))
        }
        source.collectMetrics(into: &samples)
        metrics.collect(into: &samples)
        return HTTPResponse(
            headers: ["content-type": "text/plain; version=0.0.4; charset=utf-8"],
            body: ByteBuffer(string: samples.text))
    }

    private func add(_ instance: InstanceReport, to samples: inout MetricSamples) {
        samples.set(.info, 1, [("instance", instance.id), ("version", instance.version)])
        samples.set(.uptime, instance.uptime.seconds)
        for node in instance.nodes {
            samples.set(.nodeAlive, node.isAlive ? 1 : 0, [("node", node.id)])
        }
    }

    private func add(_ health: HealthReport, to samples: inout MetricSamples) {
        samples.set(.ready, health.isReady ? 1 : 0)
        samples.set(.linked, health.isLinked ? 1 : 0)
        for status in HealthReport.Status.allCases {
            samples.set(
                .status, status == health.status ? 1 : 0, [("status", status.rawValue)])
        }
        samples.set(.redisConnected, health.redis.isConnected ? 1 : 0)
        if let latency = health.redis.latency { samples.set(.redisLatency, latency.seconds) }
    }

    private func add(_ stats: StatsReport, to samples: inout MetricSamples) {
        samples.set(.clients, Double(stats.clients))
        samples.set(.members, Double(stats.members))
        samples.set(.rooms, Double(stats.rooms))
    }
}
