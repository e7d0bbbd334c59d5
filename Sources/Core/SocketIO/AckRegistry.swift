/// The acks that one socket waits for. `Waiter` is whatever is to be told.
///
/// Invariants: at most `limit` waiters; each leaves exactly once, by `resolve`, `expire` or
/// `removeAll`; ids rise from 0 and are not used twice.
package struct AckRegistry<Waiter> {
    package let limit: Int
    private var waiters: [UInt64: Waiter] = [:]
    private var nextID: UInt64 = 0
    /// Sorted, soonest last; may hold ids that are resolved already.
    private var deadlines: [(at: Duration, id: UInt64)] = []

    package init(limit: Int) {
        self.limit = limit
    }

    package var count: Int { waiters.count }

    /// The time at which `expire` is to be called next; nil if nothing can expire.
    package var nextDeadline: Duration? { deadlines.last?.at }

    /// Adds a waiter and returns the id of its event; nil if `limit` waiters are pending.
    package mutating func register(_ waiter: Waiter, deadline: Duration) -> UInt64? {
        guard waiters.count < limit else { return nil }
        let id = nextID
        nextID += 1
        waiters[id] = waiter
        var low = 0
        var high = deadlines.count
        while low < high {
            let middle = (low + high) / 2
            if deadlines[middle].at > deadline { low = middle + 1 } else { high = middle }
        }
        deadlines.insert((deadline, id), at: low)
        return id
    }

    /// The ack came. Nil if nobody waits for it (unknown, expired, or a second ack).
    package mutating func resolve(_ id: UInt64) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        if deadlines.count > 2 * waiters.count + 32 {
            deadlines.removeAll { waiters[$0.id] == nil }
        }
        return waiter
    }

    /// Takes out those whose deadline is at `now` or before, soonest first.
    package mutating func expire(now: Duration) -> [Waiter] {
        var expired: [Waiter] = []
        while let last = deadlines.last, last.at <= now {
            deadlines.removeLast()
            if let waiter = waiters.removeValue(forKey: last.id) { expired.append(waiter) }
        }
        return expired
    }

    /// Takes out all, in the order of their events.
    package mutating func removeAll() -> [Waiter] {
        let all = waiters.sorted { $0.key < $1.key }.map(\.value)
        waiters = [:]
        deadlines = []
        return all
    }
}

extension AckRegistry: Sendable where Waiter: Sendable {}
