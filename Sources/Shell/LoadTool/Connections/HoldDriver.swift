/// Clients that connect and stay: `connect` times how fast they come, `idle` what they cost.
final class HoldDriver: LoadDriver {
    let plan: LoadPlan
    let loop: ClientLoop
    let control: RunControl
    var tally = Tally()
    var failure: LoadError?

    /// Clients of this thread, by their number in the run.
    private let clients: [Int]
    private var next = 0
    private var inProgress = 0
    private var now: Int64 = 0

    init(plan: LoadPlan, thread: Int, loop: ClientLoop, control: RunControl) {
        self.plan = plan
        self.loop = loop
        self.control = control
        clients = (0..<plan.connections).filter { $0 % plan.threads == thread }
    }

    /// `connect` ends when the run stops it, since closing is no part of what is measured.
    var isDone: Bool {
        guard plan.scenario == .idle, let start = control.start else { return false }
        return now >= control.window(from: start).end
    }

    func tick(now: Int64) -> Int64 {
        self.now = now
        if plan.scenario == .connect {
            guard let start = control.start else { return now + MonotonicClock.millisecond }
            guard now >= start else { return start }
        }
        let most = max(1, plan.concurrency / plan.threads)
        while inProgress < most, next < clients.count, failure == nil { connectNext() }
        guard let start = control.start else { return .max }
        return control.window(from: start).end
    }

    private func connectNext() {
        let number = clients[next]
        do {
            let connection = try loop.open(
                server: number % loop.servers.count, tag: next, group: 0, number: number)
            tally.firstAt = min(tally.firstAt, connection.startedAt)
            next += 1
            inProgress += 1
        } catch {
            failure = failure ?? error
        }
    }

    func opened(_ connection: Connection, now: Int64) {
        inProgress -= 1
        tally.connects += 1
        tally.record(latency: now - connection.startedAt)
        tally.lastAt = max(tally.lastAt, now)
        control.ready.add(1, ordering: .relaxed)
        if next < clients.count, failure == nil { connectNext() }
    }

    func received(_ packet: UnsafeRawBufferPointer, on connection: Connection, now: Int64) {}

    func closed(_ connection: Connection, _ reason: CloseReason, now: Int64) {
        failure = failure ?? Refusal.describe(reason, server: loop.servers[connection.server])
    }
}
