import Dispatch
import Foundation
import NIOConcurrencyHelpers
import NIOCore

/// Monotonic time that a test moves.
package final class ManualTime: Sendable {
    private let value = NIOLockedValueBox(Duration.zero)

    package init() {}

    package var now: Duration {
        get { value.withLockedValue { $0 } }
        set { value.withLockedValue { $0 = newValue } }
    }
}

/// An event loop that runs when the test says so, on the test's thread. Several of them stand for
/// several threads: each is "in the event loop" only while it runs, so what hops between loops is
/// seen to hop, and the test decides who goes first.
package final class ManualLoop: EventLoop, Sendable {
    private struct Task: Sendable {
        let deadline: Duration
        let order: UInt64
        let run: @Sendable () -> Void
        let fail: @Sendable (any Error) -> Void
    }

    private struct State {
        var ready: [@Sendable () -> Void] = []
        var tasks: [UInt64: Task] = [:]
        var counter: UInt64 = 0
        /// The thread that runs the loop at the moment.
        var runner: pthread_t?
        var isShut = false
    }

    package let time: ManualTime
    private let state = NIOLockedValueBox(State())

    package init(_ time: ManualTime) {
        self.time = time
    }

    // MARK: For tests

    /// Runs what is ready and due, and what that makes ready. False if there was nothing.
    @discardableResult
    package func run() -> Bool {
        var didRun = false
        while let work = next() {
            enter(work)
            didRun = true
        }
        return didRun
    }

    /// Runs at most one piece of work.
    @discardableResult
    package func runOne() -> Bool {
        guard let work = next() else { return false }
        enter(work)
        return true
    }

    /// Runs `body` on this loop, now.
    package func perform<Value>(_ body: () throws -> Value) rethrows -> Value {
        let before = state.withLockedValue { state in
            defer { state.runner = pthread_self() }
            return state.runner
        }
        defer { state.withLockedValue { $0.runner = before } }
        return try body()
    }

    package var nextDeadline: Duration? {
        state.withLockedValue { $0.tasks.values.map(\.deadline).min() }
    }

    package var taskCount: Int { state.withLockedValue { $0.tasks.count } }

    /// Nothing runs any more; futures of scheduled tasks fail.
    package func shutDown() {
        let tasks = state.withLockedValue { state in
            state.isShut = true
            state.ready = []
            defer { state.tasks = [:] }
            return state.tasks.values.map(\.fail)
        }
        perform { for fail in tasks { fail(EventLoopError.shutdown) } }
    }

    private func enter(_ work: @Sendable () -> Void) { perform(work) }

    private func next() -> (@Sendable () -> Void)? {
        let now = time.now
        return state.withLockedValue { state in
            if !state.ready.isEmpty { return state.ready.removeFirst() }
            let due = state.tasks.values.filter { $0.deadline <= now }
                .min { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
            guard let due else { return nil }
            state.tasks[due.order] = nil
            return due.run
        }
    }

    // MARK: EventLoop

    package var inEventLoop: Bool {
        state.withLockedValue { $0.runner == pthread_self() }
    }

    package var now: NIODeadline { .uptimeNanoseconds(UInt64(time.now / .nanoseconds(1))) }

    package func execute(_ task: @escaping @Sendable () -> Void) {
        state.withLockedValue { if !$0.isShut { $0.ready.append(task) } }
    }

    package func scheduleTask<Value>(
        in amount: TimeAmount, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        schedule(at: time.now + .nanoseconds(amount.nanoseconds), task)
    }

    package func scheduleTask<Value>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        schedule(at: .nanoseconds(Int64(clamping: deadline.uptimeNanoseconds)), task)
    }

    private func schedule<Value>(
        at deadline: Duration, _ task: @escaping @Sendable () throws -> Value
    ) -> Scheduled<Value> {
        let promise = makePromise(of: Value.self)
        let order = state.withLockedValue { state in
            state.counter += 1
            return state.counter
        }
        let item = Task(
            deadline: deadline, order: order,
            run: { promise.completeWith(Result { try task() }) }, fail: { promise.fail($0) })
        let isShut = state.withLockedValue { state in
            if !state.isShut { state.tasks[order] = item }
            return state.isShut
        }
        if isShut { promise.fail(EventLoopError.shutdown) }
        return Scheduled(promise: promise) { [state] in
            state.withLockedValue { $0.tasks[order] = nil }
        }
    }

    package func preconditionInEventLoop(file: StaticString, line: UInt) {
        precondition(inEventLoop, "not on the loop", file: file, line: line)
    }

    package func preconditionNotInEventLoop(file: StaticString, line: UInt) {
        precondition(!inEventLoop, "on the loop", file: file, line: line)
    }

    package func shutdownGracefully(
        queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void
    ) {
        shutDown()
        queue.async { callback(nil) }
    }
}
