extension LoadPlan {
    /// Refuses what makes no sense, naming the option.
    package func validate() throws(LoadError) {
        guard !servers.isEmpty else { throw .usage("--url: at least one server is needed") }
        try check(rooms, 1...1_000_000, "--rooms")
        try check(members, 1...1_000_000, "--members")
        try check(threads, 1...256, "--threads")
        try check(concurrency, 1...100_000, "--concurrency")
        try check(connections, 1...10_000_000, "--connections")
        try check(bytes, Marker.byteCount...32_000_000, "--bytes")
        try check(warmupSeconds, 0...3600, "--warmup")
        try check(settleSeconds, 0...600, "--settle")
        try check(seconds, 0.1...86_400, "--duration")
        switch pace {
        case .closed(let inFlight): try check(inFlight, 1...65_536, "--in-flight")
        case .open(let rate): try check(rate, 0.001...1_000_000, "--rate")
        }
        if scenario.sendsMessages { try checkRooms() }
        try checkScenario()
    }

    private func checkRooms() throws(LoadError) {
        guard senders >= 1, senders <= members else {
            throw .usage("--senders \(senders): 1 to as many as there are members (\(members))")
        }
        guard rooms * senders < Marker.maxSenders else {
            throw .usage("--senders: \(rooms) × \(senders) are more than a marker can tell apart")
        }
        guard scenario == .ack || receivers > 0 else {
            throw .usage("--members \(members): nobody would receive anything")
        }
    }

    private func checkScenario() throws(LoadError) {
        switch scenario {
        case .cross:
            guard servers.count > 1 else {
                throw .usage("cross: give --url twice or more; the first has the senders")
            }
            guard members > senders else {
                throw .usage("cross: --members has to be more than --senders")
            }
        case .failover:
            guard servers.count > 1 else { throw .usage("failover: give --url twice or more") }
            guard victim != nil else { throw .usage("failover: --kill PID is missing") }
            guard rate != nil else { throw .usage("failover: --rate is missing (an open loop)") }
            guard killAfterSeconds < seconds else {
                throw .usage("--kill-after: has to be less than --duration")
            }
            guard threads == 1 else { throw .usage("failover: one thread only") }
        case .fanout, .idle, .connect, .churn, .ack, .scene: break
        }
    }

    private func check<Number: Comparable>(
        _ number: Number, _ range: ClosedRange<Number>, _ option: String
    ) throws(LoadError) {
        guard range.contains(number) else {
            throw .usage(
                "\(option) \(number): expected \(range.lowerBound) to \(range.upperBound)")
        }
    }
}
