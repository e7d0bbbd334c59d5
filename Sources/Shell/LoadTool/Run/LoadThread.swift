import Foundation
import Synchronization

/// One thread of a run: it makes its own loop and driver, and leaves what it counted.
final class LoadThread: Sendable {
    struct State: Sendable {
        var tally: Tally?
    }

    private let state = Mutex(State())
    private let plan: LoadPlan
    private let number: Int
    private let control: RunControl
    private let sources: SourceAddresses

    init(plan: LoadPlan, number: Int, control: RunControl, sources: SourceAddresses) {
        self.plan = plan
        self.number = number
        self.control = control
        self.sources = sources
    }

    /// Nil while the thread runs.
    var tally: Tally? { state.withLock { $0.tally } }

    func start() {
        let thread = Thread { self.work() }
        thread.name = "load-\(number)"
        thread.stackSize = 8 << 20
        thread.start()
    }

    private func work() {
        var tally = Tally()
        do {
            let loop = try ClientLoop(
                servers: plan.servers, headers: plan.headers, sources: sources,
                seed: plan.seed &+ UInt64(number), limits: plan.limits)
            tally = try work(loop)
        } catch let error as LoadError {
            control.fail(error)
        } catch {
            control.fail(.failed("\(error)"))
        }
        let result = tally
        state.withLock { $0.tally = result }
    }

    private func work(_ loop: ClientLoop) throws -> Tally {
        switch plan.scenario {
        case .connect, .idle:
            let driver = HoldDriver(plan: plan, thread: number, loop: loop, control: control)
            let meter = run(driver, on: loop)
            return finished(driver.tally, loop, meter)
        case .churn:
            let driver = ChurnDriver(plan: plan, thread: number, loop: loop, control: control)
            let meter = run(driver, on: loop)
            return finished(driver.tally, loop, meter)
        case .fanout, .ack, .cross, .failover, .scene:
            let rooms = (0..<plan.rooms).filter { $0 % plan.threads == number }
            let driver = try RoomDriver(plan: plan, rooms: rooms, loop: loop, control: control)
            let meter = run(driver, on: loop)
            driver.finish()
            return finished(driver.tally, loop, meter)
        }
    }

    private func finished(_ counted: Tally, _ loop: ClientLoop, _ meter: WorkMeter) -> Tally {
        var tally = counted
        tally.bytesReceived = loop.bytesReceived
        tally.cpuNanoseconds = meter.cpuNanoseconds
        tally.waitNanoseconds = meter.waitNanoseconds
        tally.busiest = meter.busy
        tally.starvation = meter.starved
        return tally
    }

    private func run(_ driver: some LoadDriver, on loop: ClientLoop) -> WorkMeter {
        var meter = WorkMeter()
        loop.run(driver) { now in
            if let start = control.start {
                meter.update(now: now, window: control.window(from: start))
            }
            return control.isStopped
        }
        if let failure = driver.failure { control.fail(failure) }
        return meter
    }
}
