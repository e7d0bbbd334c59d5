/// The hybrid clock that gives room entries and snapshots their versions.
///
/// A version is `milliseconds × 2048 + counter`, so it stays below 2^53 (exact in JavaScript) until
/// the year 2109, tells the time of an entry, and rises across rooms, instances and restarts (R23,
/// R24). Physical time is the wall clock read once at start plus monotonic time since: later wall
/// clock jumps change nothing. A version seen from elsewhere that lies ahead moves this clock ahead
/// for good, so that instances run together with the fastest of them.
package struct VersionClock: Sendable {
    /// Steps within a millisecond.
    package static let unitsPerMillisecond: Version = 2048
    /// The largest version ever given: 2^53 less a reserve for counting on from it.
    package static let ceiling: Version = (1 << 53) - (1 << 32)

    private let originMilliseconds: Int64
    private var offset: Version = 0
    private(set) package var last: Version = 0

    /// - Parameter wallMilliseconds: Unix time at the monotonic origin, in milliseconds.
    package init(wallMilliseconds: Int64) {
        originMilliseconds = max(0, wallMilliseconds)
    }

    /// A version greater than every one given or observed before.
    package mutating func next(at elapsed: Duration) -> Version {
        last = min(max(last + 1, physical(at: elapsed)), Self.ceiling + (1 << 32) - 1)
        return last
    }

    /// Takes note of a version that another instance gave.
    package mutating func observe(_ version: Version, at elapsed: Duration) {
        let seen = min(version, Self.ceiling)
        guard seen > last else { return }
        let now = physical(at: elapsed)
        if seen > now { offset += seen - now }
        last = seen
    }

    /// This clock's time in Unix milliseconds.
    package func milliseconds(at elapsed: Duration) -> Int64 {
        Self.milliseconds(of: max(physical(at: elapsed), last))
    }

    /// The Unix time in milliseconds that a version stands for.
    package static func milliseconds(of version: Version) -> Int64 {
        Int64(clamping: version / unitsPerMillisecond)
    }

    private func physical(at elapsed: Duration) -> Version {
        let (seconds, attoseconds) = elapsed.components
        let ceilingMilliseconds = Int64(Self.ceiling / Self.unitsPerMillisecond)
        let since = min(max(0, seconds), ceilingMilliseconds / 1000) * 1000
        let fraction = max(0, attoseconds) / 1_000_000_000_000_000
        let total = min(originMilliseconds, ceilingMilliseconds) + since + fraction
        let units = Version(min(total, ceilingMilliseconds)) * Self.unitsPerMillisecond
        return min(units + offset, Self.ceiling)
    }
}
