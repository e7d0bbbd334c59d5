import Redis

extension RedisScript {
    /// Keys: leases, fence. Arguments: incarnation, lease. Answers nil if fenced, or all leases.
    static let renewLease = RedisScript(
        """
        if redis.call('EXISTS', KEYS[2]) == 1 then return false end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        return redis.call('HVALS', KEYS[1])
        """)

    /// Keys: leases, fence. Arguments: incarnation, beat (empty: any), the lease's member that
    /// holds the beat up to its number, seconds. Answers 1 if it is fenced.
    static let fence = RedisScript(
        """
        if ARGV[2] ~= '' then
            local lease = redis.call('HGET', KEYS[1], ARGV[1])
            local wanted = ARGV[3] .. ARGV[2] .. ','
            if not lease or not string.find(lease, wanted, 1, true) then
                return redis.call('EXISTS', KEYS[2])
            end
        end
        redis.call('SET', KEYS[2], 1, 'EX', ARGV[4])
        redis.call('HDEL', KEYS[1], ARGV[1])
        return 1
        """)
}
