/// Keeps the order of what others send: work waits while a change of rooms, begun by work before
/// it, is made on other loops. Confined to the client's loop.
final class MessageOrder {
    private let limit: Int
    private var changes = 0
    private var waiting: [() -> Void] = []

    init(limit: Int) { self.limit = limit }

    /// Runs `work` now, or when no change is being made. Beyond the limit it runs at once.
    func run(_ work: @escaping () -> Void) {
        if changes > 0, waiting.count < limit { waiting.append(work) } else { work() }
    }

    /// A change begins; `release` ends it.
    func hold() { changes += 1 }

    func release() {
        changes -= 1
        let ready = waiting
        waiting = []
        for (index, work) in ready.enumerated() {
            guard changes == 0 else {
                waiting = ready[index...] + waiting
                return
            }
            work()
        }
    }
}
