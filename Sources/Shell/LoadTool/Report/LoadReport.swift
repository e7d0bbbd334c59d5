/// The result of a run.
package struct LoadReport: Sendable {
    /// One server process.
    struct Server: Sendable {
        var pid: Int32
        /// In the measured window; nil where the process ended within it.
        var usage: ServerProcess.Usage?
        var residentBefore: Int?
        var residentAfter: Int?
    }

    let plan: LoadPlan
    let tally: Tally
    /// Of the measured window.
    let seconds: Double
    let servers: [Server]

    init(
        plan: LoadPlan, tally: Tally, seconds: Double, atRest: [ServerProcess.Sample?],
        before: [ServerProcess.Sample?], after: [ServerProcess.Sample?]
    ) {
        self.plan = plan
        self.tally = tally
        self.seconds =
            plan.scenario == .connect ? Double(max(0, tally.lastAt - tally.firstAt)) / 1e9 : seconds
        servers = plan.processes.indices.map { index in
            let start = index < before.count ? before[index] : nil
            let end = index < after.count ? after[index] : nil
            var server = Server(pid: plan.processes[index])
            if let start, let end { server.usage = ServerProcess.usage(from: start, to: end) }
            server.residentBefore =
                Self.countsFromRest(plan)
                ? atRest[index]?.residentBytes
                : start?.residentBytes
            server.residentAfter = end?.residentBytes
            return server
        }
    }

    /// Whether memory is compared with that before the first client came.
    private static func countsFromRest(_ plan: LoadPlan) -> Bool {
        plan.scenario == .idle || plan.scenario == .connect
    }

    /// Whether every delivery was as it should be.
    package var isClean: Bool {
        tally.isClean && (plan.scenario != .failover || tally.wholeAt != nil)
    }

    // MARK: What follows from the counts

    /// CPU seconds of all measured servers; nil if none was, or it cannot be known.
    var serverSeconds: Double? {
        let known = servers.compactMap { $0.usage?.cpuSeconds }
        guard !known.isEmpty, known.count == servers.count else { return nil }
        return known.reduce(0, +)
    }

    func perServerSecond(_ count: Int) -> Double? {
        guard let serverSeconds, serverSeconds > 0 else { return nil }
        return Double(count) / serverSeconds
    }

    /// What the scenario counts.
    var operations: Int {
        switch plan.scenario {
        case .fanout, .cross, .failover, .scene: tally.deliveries
        case .ack: tally.acknowledged
        case .connect, .idle: tally.connects
        case .churn: tally.cycles
        }
    }

    var bytesPerConnection: Double? {
        let pairs = servers.compactMap { server -> Int? in
            guard let before = server.residentBefore, let after = server.residentAfter
            else { return nil }
            return after - before
        }
        guard !pairs.isEmpty else { return nil }
        return Double(pairs.reduce(0, +)) / Double(plan.clientCount)
    }

    var toolSeconds: Double { Double(tally.cpuNanoseconds) / 1e9 }

    /// Whether a thread of the tool had no time left, or got no processor when it needed one: the
    /// server might have done more.
    var toolWasTheLimit: Bool { tally.busiest > 0.9 }
    var toolWasStarved: Bool { !toolWasTheLimit && tally.busiest + tally.starvation > 0.9 }
}
