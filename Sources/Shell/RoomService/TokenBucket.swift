/// Lets through `rate` events a second on average, `burst` at once.
struct TokenBucket: Sendable {
    private let rate: Double
    private let burst: Double
    private var tokens: Double
    private var updated: Int64

    /// - Parameter now: milliseconds of any steady clock.
    init(rate: Int, burst: Int, now: Int64) {
        self.rate = Double(rate) / 1000
        self.burst = Double(max(1, burst))
        tokens = self.burst
        updated = now
    }

    mutating func take(at now: Int64) -> Bool {
        tokens = min(burst, tokens + Double(max(0, now - updated)) * rate)
        updated = max(updated, now)
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}

/// Counts events of an address in a sliding minute of two halves, for a bounded number of addresses.
struct AddressLedger: Sendable {
    private static let halfMinute: Int64 = 30_000
    private let limit: Int
    private let capacity: Int
    private var current: [String: Int] = [:]
    private var previous: [String: Int] = [:]
    private var started: Int64 = 0

    init(limitPerMinute: Int, capacity: Int) {
        limit = limitPerMinute
        self.capacity = capacity
    }

    /// Whether the address has used up its minute.
    mutating func isExhausted(_ address: String, at now: Int64) -> Bool {
        turn(at: now)
        return current[address, default: 0] + previous[address, default: 0] >= limit
    }

    mutating func count(_ address: String, at now: Int64) {
        turn(at: now)
        if current.count >= capacity, current[address] == nil { previous = current; current = [:] }
        current[address, default: 0] += 1
    }

    private mutating func turn(at now: Int64) {
        guard now - started >= Self.halfMinute else { return }
        previous = now - started >= 2 * Self.halfMinute ? [:] : current
        current = [:]
        started = now
    }
}
