import Rooms

/// What waits for the next commits of a room, in order.
struct OperationQueue {
    private(set) var operations: [LiveRoom.Pending] = []
    /// Bytes of their log entries, roughly.
    private(set) var byteCount = 0

    var isEmpty: Bool { operations.isEmpty }
    var count: Int { operations.count }

    /// Whether one more may wait. An empty queue takes an operation of any size.
    func admits(_ operation: RoomOperation, _ limits: ServiceLimits) -> Bool {
        guard count < limits.queuedOperations else { return false }
        return isEmpty || byteCount + operation.approximateBytes <= limits.queuedBytes
    }

    mutating func append(_ pending: LiveRoom.Pending) {
        operations.append(pending)
        byteCount += pending.operation.approximateBytes
    }

    mutating func removeFirst(_ count: Int) {
        byteCount -= Self.bytes(operations.prefix(count))
        operations.removeFirst(count)
    }

    /// These go before all that wait.
    mutating func putBack(_ first: [LiveRoom.Pending]) {
        byteCount += Self.bytes(first[...])
        operations.insert(contentsOf: first, at: 0)
    }

    mutating func removeAll() -> [LiveRoom.Pending] {
        defer { self = OperationQueue() }
        return operations
    }

    private static func bytes(_ operations: ArraySlice<LiveRoom.Pending>) -> Int {
        operations.reduce(0) { $0 + $1.operation.approximateBytes }
    }
}
