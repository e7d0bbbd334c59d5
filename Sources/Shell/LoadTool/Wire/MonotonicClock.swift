import Glibc

/// Nanoseconds of the system's monotonic clock, the same for all threads and processes.
enum MonotonicClock {
    static let second: Int64 = 1_000_000_000
    static let millisecond: Int64 = 1_000_000

    static func now() -> Int64 { read(CLOCK_MONOTONIC) }

    /// CPU time that the calling thread has used.
    static func threadTime() -> Int64 { read(CLOCK_THREAD_CPUTIME_ID) }

    static func sleep(until deadline: Int64) {
        var left = deadline - now()
        while left > 0 {
            var time = timespec(tv_sec: Int(left / second), tv_nsec: Int(left % second))
            nanosleep(&time, nil)
            left = deadline - now()
        }
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * second + Int64(time.tv_nsec)
    }
}
