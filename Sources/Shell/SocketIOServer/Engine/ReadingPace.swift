/// The judgement that a client for which too much waits takes too little of it.
///
/// It must take `bytes` in each `period`; how it spreads them does not matter.
struct ReadingPace {
    /// Milliseconds.
    let period: Int64
    let bytes: Int
    private var mark: (at: Int64, taken: Int)?

    init(period: Int64, bytes: Int) {
        self.period = period
        self.bytes = bytes
    }

    /// Nothing to judge until `isTooSlow` is asked again.
    mutating func reset() { mark = nil }

    /// - Parameters:
    ///   - taken: bytes that the client has taken since any fixed moment.
    ///   - now: milliseconds since any fixed moment.
    mutating func isTooSlow(taken: Int, now: Int64) -> Bool {
        if let mark {
            guard now - mark.at >= period else { return false }
            if taken - mark.taken < bytes { return true }
        }
        mark = (now, taken)
        return false
    }
}
