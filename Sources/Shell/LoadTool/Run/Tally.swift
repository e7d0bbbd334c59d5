import Histogram

/// What one thread has counted.
struct Tally: Sendable {
    /// In the measured window.
    var sent = 0
    var deliveries = 0
    var acknowledged = 0
    /// Nanoseconds.
    var latency = Tally.histogram()

    // Of the whole run.
    var missing = 0
    var duplicate = 0
    var outOfOrder = 0
    /// Deliveries that their receiver should not have had: of another room, or its own.
    var misdirected = 0
    /// Events of the right name without a marker.
    var unmarked = 0
    var refused = 0
    var unacknowledged = 0
    /// Whole scenes that were not what was sent.
    var corrupted = 0
    /// The first refusal, as the server said it.
    var refusal: String?

    // `connect` and `churn`
    var connects = 0
    var cycles = 0
    /// When the first client began and when the last was done.
    var firstAt = Int64.max
    var lastAt = Int64.min

    // `failover`
    var returned = 0
    var moved = 0
    var rejoinFailures = 0
    var wholeAt: Int64?
    var longestSilence: Int64 = 0

    // The thread
    var bytesReceived = 0
    var cpuNanoseconds: Int64 = 0
    var waitNanoseconds: Int64 = 0
    var busiest = 0.0
    var starvation = 0.0

    /// A nanosecond to an hour, with three digits; below 128 ns all is one.
    static func histogram() -> Histogram<UInt64> {
        Histogram(
            lowestDiscernibleValue: 128, highestTrackableValue: 3_600_000_000_000,
            numberOfSignificantValueDigits: .three)
    }

    @inline(__always)
    mutating func record(latency nanoseconds: Int64) {
        latency.record(UInt64(max(0, nanoseconds)))
    }

    /// Whether everything came as it should.
    var isClean: Bool {
        missing + duplicate + outOfOrder + misdirected + unmarked + refused + unacknowledged
            + corrupted + rejoinFailures == 0
    }

    mutating func add(_ other: Tally) {
        sent += other.sent
        deliveries += other.deliveries
        acknowledged += other.acknowledged
        latency.add(other.latency)
        missing += other.missing
        duplicate += other.duplicate
        outOfOrder += other.outOfOrder
        misdirected += other.misdirected
        unmarked += other.unmarked
        refused += other.refused
        unacknowledged += other.unacknowledged
        corrupted += other.corrupted
        refusal = refusal ?? other.refusal
        connects += other.connects
        cycles += other.cycles
        firstAt = min(firstAt, other.firstAt)
        lastAt = max(lastAt, other.lastAt)
        returned += other.returned
        moved += other.moved
        rejoinFailures += other.rejoinFailures
        if let whole = other.wholeAt { wholeAt = max(wholeAt ?? whole, whole) }
        longestSilence = max(longestSilence, other.longestSilence)
        bytesReceived += other.bytesReceived
        cpuNanoseconds += other.cpuNanoseconds
        waitNanoseconds += other.waitNanoseconds
        busiest = max(busiest, other.busiest)
        starvation = max(starvation, other.starvation)
    }
}
