import NIOConcurrencyHelpers
import Rooms

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The process's one version clock: the wall clock read once, monotonic time since.
package final class SharedClock: Sendable {
    private let time: @Sendable () -> Duration
    private let clock: NIOLockedValueBox<VersionClock>

    package convenience init() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        self.init(wallMilliseconds: Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)
    }

    package convenience init(wallMilliseconds: Int64) {
        let start = ContinuousClock.now
        self.init(wallMilliseconds: wallMilliseconds) { ContinuousClock.now - start }
    }

    /// - Parameter time: monotonic time since this clock was made.
    package init(wallMilliseconds: Int64, time: @escaping @Sendable () -> Duration) {
        self.time = time
        clock = NIOLockedValueBox(VersionClock(wallMilliseconds: wallMilliseconds))
    }

    /// Time since this clock was made.
    package var elapsed: Duration { time() }

    /// `elapsed` in whole milliseconds, for rates and waits.
    package var elapsedMilliseconds: Int64 {
        let (seconds, attoseconds) = elapsed.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    package func next() -> Version {
        let now = elapsed
        return clock.withLockedValue { $0.next(at: now) }
    }

    package func observe(_ version: Version) {
        let now = elapsed
        clock.withLockedValue { $0.observe(version, at: now) }
    }

    /// The highest version given or observed.
    package var last: Version { clock.withLockedValue { $0.last } }

    /// Unix milliseconds by this clock: the time base of everything stored.
    package var nowMilliseconds: Int64 {
        let now = elapsed
        return clock.withLockedValue { $0.milliseconds(at: now) }
    }
}
