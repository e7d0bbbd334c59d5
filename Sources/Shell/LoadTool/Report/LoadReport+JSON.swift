import JSON

extension LoadReport {
    /// One object, as docs/BENCHMARKING.md describes it.
    package var json: [UInt8] {
        var members = JSONMembers()
        members.append("scenario", .string(plan.scenario.rawValue))
        members.append("parameters", parameters)
        members.append("clean", .bool(isClean))
        members.append("seconds", .double(seconds))
        appendCounts(&members)
        members.append("servers", .array(servers.map { Self.json($0) }))
        members.append("server_cpu_seconds", Self.number(serverSeconds))
        appendRates(&members)
        members.append("latency_us", latency)
        appendFaults(&members)
        members.append("tool", tool)
        appendSpecific(&members)
        return JSONValue.object(members).encoded
    }

    private static func number(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .double((value * 1000).rounded() / 1000)
    }

    private static func number(_ value: Int?) -> JSONValue {
        value.map { .integer($0) } ?? .null
    }

    private var parameters: JSONValue {
        var members = JSONMembers()
        members.append("urls", .array(plan.servers.map { .string($0.url) }))
        members.append("rooms", .integer(plan.rooms))
        members.append("members", .integer(plan.members))
        members.append("senders", .integer(plan.senders))
        members.append("loop", .string(plan.rate == nil ? "closed" : "open"))
        members.append("in_flight", plan.rate == nil ? .integer(plan.inFlight) : .null)
        members.append("rate", Self.number(plan.rate))
        members.append("bytes", .integer(plan.bytes))
        members.append("connections", .integer(plan.connections))
        members.append("concurrency", .integer(plan.concurrency))
        members.append("warmup", .double(plan.warmupSeconds))
        members.append("duration", .double(plan.seconds))
        members.append("threads", .integer(plan.threads))
        members.append("seed", .integer(plan.seed))
        return .object(members)
    }

    private func appendCounts(_ members: inout JSONMembers) {
        members.append("clients", .integer(plan.clientCount))
        members.append("sent", .integer(tally.sent))
        members.append("deliveries", .integer(tally.deliveries))
        members.append("acknowledged", .integer(tally.acknowledged))
        members.append("messages_per_second", rate(tally.sent))
        members.append("deliveries_per_second", rate(tally.deliveries))
    }

    private func rate(_ count: Int) -> JSONValue {
        seconds > 0 ? Self.number(Double(count) / seconds) : .null
    }

    private func appendRates(_ members: inout JSONMembers) {
        members.append(
            "deliveries_per_cpu_second", Self.number(perServerSecond(tally.deliveries)))
    }

    private static func json(_ server: Server) -> JSONValue {
        .members([
            ("pid", .integer(server.pid)),
            ("cpu_seconds", number(server.usage?.cpuSeconds)),
            ("user_seconds", number(server.usage?.userSeconds)),
            ("system_seconds", number(server.usage?.systemSeconds)),
            ("rss_bytes_before", number(server.residentBefore)),
            ("rss_bytes_after", number(server.residentAfter)),
        ])
    }

    private var latency: JSONValue {
        .members(latencies.map { ($0.name, Self.number($0.microseconds)) })
    }

    /// Percentiles, the longest and the mean; nil where nothing was timed.
    var latencies: [(name: String, microseconds: Double?)] {
        let histogram = tally.latency
        let isEmpty = histogram.totalCount == 0
        func value(_ percentile: Double) -> Double? {
            isEmpty ? nil : Double(histogram.valueAtPercentile(percentile)) / 1000
        }
        return [
            ("p50", value(50)), ("p90", value(90)), ("p99", value(99)), ("p999", value(99.9)),
            ("max", isEmpty ? nil : Double(histogram.max) / 1000),
            ("mean", isEmpty ? nil : histogram.mean / 1000),
        ]
    }

    private func appendFaults(_ members: inout JSONMembers) {
        members.append("missing", .integer(tally.missing))
        members.append("duplicate", .integer(tally.duplicate))
        members.append("out_of_order", .integer(tally.outOfOrder))
        members.append("misdirected", .integer(tally.misdirected))
        members.append("unmarked", .integer(tally.unmarked))
        members.append("corrupted", .integer(tally.corrupted))
        members.append("refused", .integer(tally.refused))
        members.append("unacknowledged", .integer(tally.unacknowledged))
        if let refusal = tally.refusal { members.append("refusal", .string(refusal)) }
    }

    private var tool: JSONValue {
        let perSecond = toolSeconds > 0 ? Double(tally.deliveries) / toolSeconds : nil
        return .members([
            ("threads", .integer(plan.threads)),
            ("cpu_seconds", Self.number(toolSeconds)),
            ("busy", Self.number(tally.busiest)),
            ("starved", Self.number(tally.starvation)),
            ("is_bottleneck", .bool(toolWasTheLimit || toolWasStarved)),
            ("deliveries_per_cpu_second", Self.number(perSecond)),
            ("bytes_received", .integer(tally.bytesReceived)),
        ])
    }

    private func appendSpecific(_ members: inout JSONMembers) {
        switch plan.scenario {
        case .fanout, .cross, .scene: break
        case .ack:
            members.append("acks_per_second", rate(tally.acknowledged))
            members.append(
                "acks_per_cpu_second", Self.number(perServerSecond(tally.acknowledged)))
        case .idle:
            members.append("bytes_per_connection", Self.number(bytesPerConnection))
        case .connect:
            members.append("connects", .integer(tally.connects))
            members.append("connects_per_second", rate(tally.connects))
            members.append(
                "connects_per_cpu_second", Self.number(perServerSecond(tally.connects)))
            members.append("bytes_per_connection", Self.number(bytesPerConnection))
        case .churn:
            members.append("cycles", .integer(tally.cycles))
            members.append("cycles_per_second", rate(tally.cycles))
            members.append("cycles_per_cpu_second", Self.number(perServerSecond(tally.cycles)))
        case .failover:
            members.append("moved", .integer(tally.moved))
            members.append("returned", .integer(tally.returned))
            members.append("rejoin_failures", .integer(tally.rejoinFailures))
            members.append(
                "whole_after_seconds", Self.number(tally.wholeAt.map { Double($0) / 1e9 }))
            members.append(
                "longest_silence_seconds", .double(Double(tally.longestSilence) / 1e9))
        }
    }
}
