/// Every bound of the Redis connections.
package struct RedisLimits: Sendable {
    /// TCP connect, TLS and the opening commands together. Beyond: the attempt fails and is retried.
    package var connectTimeout: Duration = .seconds(2)
    /// From sending a command to its reply, unless the call says otherwise. Beyond: the
    /// connection is taken for hung and closed, and everything in flight on it fails.
    package var commandDeadline: Duration = .seconds(2)
    /// For the health ping of each second. Beyond: as `commandDeadline`.
    package var pingDeadline: Duration = .milliseconds(1_500)
    /// Between two health pings and probes of the subscription.
    package var probeInterval: Duration = .seconds(1)
    /// The server is asked after so many of them whether it drops keys.
    package var probesPerEvictionLook = 5
    /// Sentinel is asked after so many of them whether the primary is still the same.
    package var probesPerSentinelLook = 2
    /// Longest silence of the client's own probe. Beyond: the pub/sub connection is replaced.
    package var probeSilence: Duration = .seconds(3)
    /// Commands sent and not answered. Beyond: `RedisError.overloaded`, nothing is sent.
    package var maxInFlightCommands = 32_768
    /// Bytes of commands sent and not answered. Beyond: `RedisError.overloaded`.
    package var maxInFlightBytes = 64 << 20
    /// Bytes of one reply. Beyond: protocol error, the connection closes.
    package var maxReplyBytes = 128 << 20
    /// Values in one reply, nested ones included. Beyond: protocol error.
    package var maxReplyValues = 1 << 20
    /// Arrays inside arrays. Beyond: protocol error. hiredis itself ends at 7 or 9.
    package var maxReplyDepth = 7
    /// First wait before a new attempt to connect; the wait is random below the
    /// bound, which doubles with each failure.
    package var minBackoff: Duration = .milliseconds(50)
    package var maxBackoff: Duration = .seconds(1)
    /// A connection that lived this long starts the backoff anew.
    package var stableAfter: Duration = .seconds(1)
    /// Deadlines missed in a row, with no command answered between. Beyond: no attempt to
    /// connect for `breakerCooldown`.
    package var maxDeadlineMisses = 3
    package var breakerCooldown: Duration = .seconds(1)
    /// Names in one SUBSCRIBE when a connection is restored.
    package var maxNamesPerSubscribe = 500

    package init() {}
}
