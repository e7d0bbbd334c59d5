import Glibc

/// One run from its plan to its report; blocks the thread that calls it.
package struct LoadRun {
    private let plan: LoadPlan
    private let control: RunControl
    private let progress: ProgressLine
    private let startedAt = MonotonicClock.now()

    /// Refuses plans that make no sense, or that this machine has not the files or ports for.
    package init(_ plan: LoadPlan) throws(LoadError) {
        try plan.validate()
        try FileBudget.ensure(plan.clientCount + plan.threads + plan.limits.reservedFiles)
        var plan = plan
        plan.runID = String(UInt32(truncatingIfNeeded: startedAt &* 2_654_435_761), radix: 36)
        if plan.scenario.usesRooms { plan.threads = min(plan.threads, plan.rooms) }
        self.plan = plan
        control = RunControl(plan: plan)
        progress = ProgressLine(isShown: plan.showsProgress)
    }

    package func run() throws(LoadError) -> LoadReport {
        let atRest = try sampleAll()
        let sources = SourceAddresses(perSource: plan.limits.connectionsPerSource)
        let threads = (0..<plan.threads).map {
            LoadThread(plan: plan, number: $0, control: control, sources: sources)
        }
        for thread in threads { thread.start() }
        let samples = plan.scenario == .connect ? measureConnecting() : measureTraffic()
        let tallies = join(threads)
        progress.clear()
        if let failure = control.failure { throw failure }
        var tally = Tally()
        for one in tallies { tally.add(one) }
        return LoadReport(
            plan: plan, tally: tally, seconds: plan.seconds, atRest: atRest, before: samples.before,
            after: samples.after)
    }

    // MARK: Phases

    /// Samples of the servers where what is measured begins and ends.
    private typealias Samples = (before: [ServerProcess.Sample?], after: [ServerProcess.Sample?])

    private func sampleServers() -> [ServerProcess.Sample?] {
        plan.processes.map { ServerProcess(pid: $0).sample() }
    }

    /// From the first client's connecting to the last one's being connected.
    private func measureConnecting() -> Samples {
        let before = sampleServers()
        control.begin(at: MonotonicClock.now())
        waitUntilReady()
        let after = sampleServers()
        control.endWindow(at: MonotonicClock.now())
        // Each thread takes its own measure at the end of the window.
        MonotonicClock.sleep(until: MonotonicClock.now() + 50 * MonotonicClock.millisecond)
        control.stop()
        return (before, after)
    }

    private func measureTraffic() -> Samples {
        waitUntilReady()
        return measuredWindow().map { measure($0) } ?? ([], [])
    }

    /// Until all clients are where they should be, or nothing has moved for too long.
    private func waitUntilReady() {
        let patience = Int64(plan.limits.setupPatience) * MonotonicClock.second
        var seen = 0
        var changedAt = MonotonicClock.now()
        while !control.isStopped {
            let ready = control.ready.load(ordering: .relaxed)
            if ready >= plan.readyCount { return }
            let now = MonotonicClock.now()
            if ready > seen { (seen, changedAt) = (ready, now) }
            if now - changedAt > patience {
                control.fail(
                    .failed(
                        "\(ready) of \(plan.readyCount) clients were ready, then none for"
                            + " \(plan.limits.setupPatience) s"))
            }
            progress.show("\(ready) of \(plan.readyCount) clients ready")
            MonotonicClock.sleep(until: now + 10 * MonotonicClock.millisecond)
        }
    }

    private func measuredWindow() -> RunControl.Window? {
        guard !control.isStopped else { return nil }
        let start = MonotonicClock.now() + Int64(plan.settleSeconds * 1e9)
        control.begin(at: start)
        return control.window(from: start)
    }

    private func measure(_ window: RunControl.Window) -> Samples {
        pass(until: window.start)
        let before = sampleServers()
        if let victim = plan.victim, plan.scenario == .failover {
            pass(until: window.start + Int64(plan.killAfterSeconds * 1e9))
            if !control.isStopped { killVictim(victim) }
        }
        pass(until: window.end)
        return (before, sampleServers())
    }

    private func killVictim(_ pid: Int32) {
        guard kill(pid, SIGKILL) == 0 else {
            return control.fail(.failed("kill \(pid): \(LoadError.text(of: errno))"))
        }
        control.killedAt.store(MonotonicClock.now(), ordering: .releasing)
    }

    private func pass(until deadline: Int64) {
        while !control.isStopped {
            let now = MonotonicClock.now()
            if now >= deadline { return }
            progress.showTraffic(
                sent: control.sent.load(ordering: .relaxed),
                deliveries: control.deliveries.load(ordering: .relaxed), now: now)
            MonotonicClock.sleep(until: min(deadline, now + 100 * MonotonicClock.millisecond))
        }
    }

    private func join(_ threads: [LoadThread]) -> [Tally] {
        threads.map { thread in
            while true {
                if let tally = thread.tally { return tally }
                progress.show("waiting for what is under way")
                MonotonicClock.sleep(until: MonotonicClock.now() + 2 * MonotonicClock.millisecond)
            }
        }
    }

    private func sampleAll() throws(LoadError) -> [ServerProcess.Sample?] {
        var samples: [ServerProcess.Sample?] = []
        for pid in plan.processes {
            guard let sample = ServerProcess(pid: pid).sample() else {
                throw .usage("--pid \(pid): there is no such process")
            }
            samples.append(sample)
        }
        return samples
    }
}
