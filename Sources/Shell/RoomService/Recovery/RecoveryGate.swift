import NIOConcurrencyHelpers
import NIOCore

/// Lets so many clients at once look for what they missed; the next wait their turn, in order.
final class RecoveryGate: Sendable {
    private let limits: ServiceLimits
    private let state = NIOLockedValueBox(State())

    private struct State {
        var inside = 0
        var waiting: CircularBuffer<EventLoopPromise<Bool>> = []
    }

    init(limits: ServiceLimits) {
        self.limits = limits
    }

    /// True when it is the caller's turn, who then owes `leave`; false where too many wait already.
    func enter(on eventLoop: any EventLoop) -> EventLoopFuture<Bool> {
        let promise = eventLoop.makePromise(of: Bool.self)
        let answer: Bool? = state.withLockedValue { state in
            if state.inside < limits.recoveriesAtOnce {
                state.inside += 1
                return true
            }
            guard state.waiting.count < limits.recoveriesWaiting else { return false }
            state.waiting.append(promise)
            return nil
        }
        if let answer { promise.succeed(answer) }
        return promise.futureResult
    }

    func leave() {
        let next = state.withLockedValue { state -> EventLoopPromise<Bool>? in
            if let next = state.waiting.popFirst() { return next }
            state.inside -= 1
            return nil
        }
        next?.succeed(true)
    }

    /// For tests: nobody is inside or waits.
    var isEmpty: Bool {
        state.withLockedValue { $0.inside == 0 && $0.waiting.isEmpty }
    }
}
