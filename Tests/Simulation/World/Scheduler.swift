import Dispatch
import NIOCore

/// Time and order of a simulation: one queue for all its loops. What is due at the same moment runs
/// in the order in which it was asked for.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class Scheduler: @unchecked Sendable {
    /// What becomes of an item whose loop has ended: promises must not be left open.
    fileprivate enum AtEnd {
        case forget
        case run
        case fail(() -> Void)
    }

    fileprivate struct Item {
        let at: Int64
        let order: UInt64
        let loop: SimulatedLoop
        let run: () -> Void
        var atEnd = AtEnd.forget

        func isBefore(_ other: Item) -> Bool {
            at == other.at ? order < other.order : at < other.at
        }
    }

    /// Nanoseconds since the simulation began.
    private(set) var now: Int64 = 0
    fileprivate var current: SimulatedLoop?
    private var ready: [Item] = []
    private var readyStart = 0
    private var heap: [Item] = []
    private var cancelled: Set<UInt64> = []
    private var counter: UInt64 = 0

    /// The loop that runs at the moment.
    var asking: SimulatedLoop? { current }

    var elapsed: Duration { .nanoseconds(now) }

    /// Runs everything that is due until then.
    func run(until end: Int64) {
        while let item = next(until: end) {
            now = max(now, item.at)
            if !cancelled.isEmpty, cancelled.remove(item.order) != nil { continue }
            item.loop.take(item)
        }
        now = max(now, end)
    }

    /// Runs `work` on a loop at a moment; now if that is over.
    @discardableResult
    func schedule(
        on loop: SimulatedLoop, at moment: Int64, _ work: @escaping () -> Void
    ) -> UInt64 {
        schedule(on: loop, at: moment, .forget, work)
    }

    fileprivate func schedule(
        on loop: SimulatedLoop, at moment: Int64, _ atEnd: AtEnd, _ work: @escaping () -> Void
    ) -> UInt64 {
        counter += 1
        let item = Item(
            at: max(moment, now), order: counter, loop: loop, run: work, atEnd: atEnd)
        if item.at <= now { ready.append(item) } else { push(item) }
        return counter
    }

    /// Empties the queue once all loops have ended.
    func drain() {
        while let item = next(until: .max) {
            if cancelled.remove(item.order) == nil { item.loop.take(item) }
        }
    }

    func cancel(_ order: UInt64) { cancelled.insert(order) }

    fileprivate func again(_ items: [Item]) { ready += items }

    fileprivate func perform(_ loop: SimulatedLoop, _ body: () -> Void) {
        let before = current
        current = loop
        body()
        current = before
    }

    // MARK: Queue

    private func next(until end: Int64) -> Item? {
        if readyStart < ready.count {
            let item = ready[readyStart]
            readyStart += 1
            if readyStart == ready.count {
                ready.removeAll(keepingCapacity: true)
                readyStart = 0
            }
            return item
        }
        guard let first = heap.first, first.at <= end else { return nil }
        return pop()
    }

    private func push(_ item: Item) {
        heap.append(item)
        var index = heap.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].isBefore(heap[parent]) else { break }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    private func pop() -> Item {
        let first = heap[0]
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                if heap[child].isBefore(heap[least]) { least = child }
            }
            guard least != index else { return first }
            heap.swapAt(index, least)
            index = least
        }
    }
}

/// An event loop of the simulation: a process, the store's server, or the world outside.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class SimulatedLoop: EventLoop, @unchecked Sendable {
    let scheduler: Scheduler
    /// A frozen loop keeps what comes due; it runs when the loop wakes.
    private(set) var isFrozen = false
    private(set) var hasEnded = false
    private var kept: [Scheduler.Item] = []

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func freeze() { isFrozen = true }

    func wake() {
        isFrozen = false
        let items = kept
        kept = []
        scheduler.again(items)
    }

    /// The process is gone: nothing is done any more but to let go of what waits.
    func end() {
        hasEnded = true
        wake()
    }

    fileprivate func take(_ item: Scheduler.Item) {
        if isFrozen { return kept.append(item) }
        guard hasEnded else { return scheduler.perform(self, item.run) }
        switch item.atEnd {
        case .forget: break
        case .run: scheduler.perform(self, item.run)
        case .fail(let fail): scheduler.perform(self, fail)
        }
    }

    /// Runs `body` on this loop, now.
    func perform(_ body: () -> Void) { scheduler.perform(self, body) }

    func after(_ duration: Duration, _ work: @escaping () -> Void) {
        scheduler.schedule(on: self, at: scheduler.now + duration.wholeNanoseconds, work)
    }

    // MARK: EventLoop

    var inEventLoop: Bool { scheduler.current === self }
    var now: NIODeadline { .uptimeNanoseconds(UInt64(scheduler.now)) }

    func execute(_ task: @escaping @Sendable () -> Void) {
        _ = scheduler.schedule(on: self, at: scheduler.now, .run, task)
    }

    func scheduleTask<Value>(
        in amount: TimeAmount, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        plan(at: scheduler.now + amount.nanoseconds, task)
    }

    func scheduleTask<Value>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        plan(at: Int64(clamping: deadline.uptimeNanoseconds), task)
    }

    private func plan<Value>(
        at moment: Int64, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        let promise = makePromise(of: Value.self)
        let run: @Sendable () -> Void = { promise.completeWith(Result { try task() }) }
        let order = scheduler.schedule(
            on: self, at: hasEnded ? scheduler.now : moment,
            .fail { promise.fail(EventLoopError.shutdown) }, run)
        return Scheduled(promise: promise) { [scheduler] in scheduler.cancel(order) }
    }

    func preconditionInEventLoop(file: StaticString, line: UInt) {
        precondition(inEventLoop, "not on the loop", file: file, line: line)
    }

    func preconditionNotInEventLoop(file: StaticString, line: UInt) {
        precondition(!inEventLoop, "on the loop", file: file, line: line)
    }

    func shutdownGracefully(
        queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void
    ) {
        end()
        queue.async { callback(nil) }
    }
}

extension Duration {
    var wholeNanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }
}
