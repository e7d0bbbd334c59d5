/// Waits between attempts to connect: exponential, with full jitter.
///
/// The wait is uniform between zero and a bound that doubles from `minimum` to `maximum`, so
/// that instances which lost the same server do not return to it in step. Never below `floor`.
package struct Backoff: Sendable {
    private let minimum: Duration
    private let maximum: Duration
    private var doublings = 0

    /// Keeps a server that refuses at once from being asked in a tight loop.
    package static let floor: Duration = .milliseconds(10)

    package init(minimum: Duration, maximum: Duration) {
        self.minimum = minimum
        self.maximum = max(minimum, maximum)
    }

    /// The bound that the next wait is drawn below.
    package var bound: Duration {
        min(maximum, minimum * (1 << doublings))
    }

    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let wait = bound * Double.random(in: 0...1, using: &generator)
        if bound < maximum, doublings < 30 { doublings += 1 }
        return max(Self.floor, wait)
    }

    package mutating func reset() { doublings = 0 }
}
