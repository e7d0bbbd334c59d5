import Atomics

/// What all loops together have on the way to other instances. From any thread.
final class ForwardLedger: Sendable {
    private let forwards = ManagedAtomic(0)
    private let bytes = ManagedAtomic(0)
    private let hasForwarded = ManagedAtomic(false)

    /// Counts one more forward; false where there are `limit` already.
    func begin(limit: Int) -> Bool { Self.add(1, to: forwards, limit: limit) }

    func end() { forwards.wrappingDecrement(ordering: .relaxed) }

    /// Counts bytes that are held; false where that would be more than `limit`.
    func hold(_ count: Int, limit: Int) -> Bool { Self.add(count, to: bytes, limit: limit) }

    func release(_ count: Int) { bytes.wrappingDecrement(by: count, ordering: .relaxed) }

    /// Whether this is the first call.
    func isFirst() -> Bool { !hasForwarded.exchange(true, ordering: .relaxed) }

    var count: Int { forwards.load(ordering: .relaxed) }
    var heldBytes: Int { bytes.load(ordering: .relaxed) }

    private static func add(_ count: Int, to sum: ManagedAtomic<Int>, limit: Int) -> Bool {
        if sum.wrappingIncrementThenLoad(by: count, ordering: .relaxed) <= limit { return true }
        sum.wrappingDecrement(by: count, ordering: .relaxed)
        return false
    }
}
