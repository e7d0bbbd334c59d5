import Synchronization

/// What the threads of a run share.
final class RunControl: Sendable {
    /// The measured part of a run, in nanoseconds of the monotonic clock.
    struct Window: Sendable, Hashable {
        var start: Int64
        var end: Int64

        func contains(_ time: Int64) -> Bool { time >= start && time < end }
        var seconds: Double { Double(end - start) / 1e9 }
    }

    struct Failure: Sendable {
        var first: LoadError?
    }

    /// Clients that are where the scenario wants them.
    let ready = Atomic<Int>(0)
    let deliveries = Atomic<Int>(0)
    let sent = Atomic<Int>(0)
    /// When the victim was killed; 0: it lives.
    let killedAt = Atomic<Int64>(0)
    private let trafficStart = Atomic<Int64>(0)
    /// Where the window ends if not after the duration; 0: after that.
    private let endOfWindow = Atomic<Int64>(0)
    private let stopped = Atomic<Bool>(false)
    private let failed = Mutex(Failure())
    private let warmup: Int64
    private let duration: Int64

    init(plan: LoadPlan) {
        warmup = Int64(plan.warmupSeconds * 1e9)
        duration = Int64(plan.seconds * 1e9)
    }

    /// All are ready: traffic begins then.
    func begin(at time: Int64) {
        trafficStart.store(time, ordering: .releasing)
    }

    /// Nil until traffic has a time to begin.
    var start: Int64? {
        let time = trafficStart.load(ordering: .acquiring)
        return time == 0 ? nil : time
    }

    func window(from start: Int64) -> Window {
        let end = endOfWindow.load(ordering: .relaxed)
        return Window(start: start + warmup, end: end > 0 ? end : start + warmup + duration)
    }

    /// What is measured is over.
    func endWindow(at time: Int64) { endOfWindow.store(time, ordering: .relaxed) }

    // MARK: Ending

    var isStopped: Bool { stopped.load(ordering: .relaxed) }

    func stop() { stopped.store(true, ordering: .relaxed) }

    /// The first failure ends the run.
    func fail(_ error: LoadError) {
        failed.withLock { $0.first = $0.first ?? error }
        stop()
    }

    var failure: LoadError? { failed.withLock { $0.first } }
}
