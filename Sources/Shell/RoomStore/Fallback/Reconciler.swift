import NIOCore

/// Runs the reconciliations of rooms: each room once at a time, a bounded number at once, in the
/// order asked for.
///
/// `@unchecked Sendable`: the stored variables are touched on `eventLoop` only.
final class Reconciler: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private let atOnce: Int
    private var running = 0
    private var queue: [Job] = []
    private var queueStart = 0
    private var futures: [String: EventLoopFuture<Void>] = [:]

    typealias Work = @Sendable (String) -> EventLoopFuture<Void>

    private struct Job {
        let room: String
        let promise: EventLoopPromise<Void>
        let work: Work
        let ended: @Sendable () -> Void
    }

    init(eventLoop: any EventLoop, atOnce: Int) {
        self.eventLoop = eventLoop
        self.atOnce = atOnce
    }

    /// Completes when the room has been reconciled, or that has failed. Joins one under way.
    ///
    /// - Parameter ended: Called after it, when the room may be reconciled again.
    func reconcile(
        _ room: String, _ work: @escaping Work, ended: @escaping @Sendable () -> Void
    ) -> EventLoopFuture<Void> {
        eventLoop.flatSubmit {
            if let future = self.futures[room] { return future }
            let promise = self.eventLoop.makePromise(of: Void.self)
            self.futures[room] = promise.futureResult
            self.queue.append(Job(room: room, promise: promise, work: work, ended: ended))
            self.pump()
            return promise.futureResult
        }
    }

    private func pump() {
        while running < atOnce, queueStart < queue.count {
            let job = queue[queueStart]
            queueStart += 1
            if queueStart == queue.count {
                queue.removeAll()
                queueStart = 0
            }
            running += 1
            job.work(job.room).hop(to: eventLoop).whenComplete { result in
                self.running -= 1
                self.futures[job.room] = nil
                job.promise.completeWith(result)
                job.ended()
                self.pump()
            }
        }
    }
}
