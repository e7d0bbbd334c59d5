import Redis

// Reads of several keys that must fit together, and the checkpoint.

extension RedisScript {
    /// A whole room, its log up to a page.
    ///
    /// Keys: head, log, checkpoint. Arguments: entries a page, bytes a page.
    ///
    /// Answers nil, or `{epoch, head, checkpoint version, checkpoint or nil, version, previous,
    /// entry, …}`.
    static let load = RedisScript(
        """
        local head = redis.call('HMGET', KEYS[1], 'v', 'epoch', 'cp')
        if not head[1] then return false end
        local checkpoint = redis.call('GET', KEYS[3])
        local reply = {head[2], head[1], head[3], checkpoint}
        local bytes, limit = 0, tonumber(ARGV[2])
        if checkpoint then bytes = #checkpoint end
        local from = string.format('%.0f', tonumber(head[3]) + 1)
        for _, item in ipairs(redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ARGV[1])) do
            bytes = bytes + #item[2][4]
            if bytes > limit and #reply > 4 then break end
            reply[#reply + 1] = item[1]
            reply[#reply + 1] = item[2][2]
            reply[#reply + 1] = item[2][4]
        end
        return reply
        """)

    /// A page of a log.
    ///
    /// Keys: head, log. Arguments: epoch, the version before the first that is wanted, that plus
    /// one, entries a page, bytes a page.
    ///
    /// Answers nil, or `{head, version, previous, entry, …}`.
    static let read = RedisScript(
        """
        local head = redis.call('HMGET', KEYS[1], 'v', 'epoch')
        if head[2] ~= ARGV[1] then return false end
        local reply = {head[1]}
        if head[1] == ARGV[2] then return reply end
        local bytes, limit = 0, tonumber(ARGV[5])
        for _, item in ipairs(redis.call('XRANGE', KEYS[2], ARGV[3], '+', 'COUNT', ARGV[4])) do
            bytes = bytes + #item[2][4]
            if bytes > limit and #reply > 1 then break end
            reply[#reply + 1] = item[1]
            reply[#reply + 1] = item[2][2]
            reply[#reply + 1] = item[2][4]
        end
        return reply
        """)

    /// Keeps a checkpoint if it is newer, and trims the log: entries before a version, or all that
    /// the checkpoint contains if too many bytes would stay behind it.
    ///
    /// Keys: head, log, checkpoint. Arguments: epoch, version, checkpoint, lowest version to keep,
    /// bytes kept behind the checkpoint at most.
    static let save = RedisScript(
        """
        local call, arg = redis.call, ARGV
        local head = call('HMGET', KEYS[1], 'v', 'epoch', 'cp', 'lb', 'kb')
        local version = tonumber(arg[2])
        if head[2] ~= arg[1] or tonumber(head[3]) >= version or tonumber(head[1]) < version then
            return 0
        end
        call('SET', KEYS[3], arg[3])
        local after = 0
        if tonumber(head[1]) > version then
            local from = string.format('%.0f', version + 1)
            for _, item in ipairs(call('XRANGE', KEYS[2], from, '+')) do
                after = after + #item[2][4]
            end
        end
        local behind = tonumber(head[4]) - after
        local lowest = tonumber(arg[4])
        if lowest <= tonumber(head[3]) + 1 then behind = behind + tonumber(head[5]) end
        if behind > tonumber(arg[5]) or lowest > version then
            lowest = version + 1
            behind = 0
        end
        call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', lowest))
        call('HSET', KEYS[1], 'cp', arg[2], 'lb', after, 'kb', behind)
        return 1
        """)

    /// Where rooms stand. Keys: head and deleted of each room.
    ///
    /// Answers `epoch, head, id of the last entry, deleted epoch` for each, nil for what is not there.
    static let heads = RedisScript(
        """
        local reply = {}
        for i = 1, #KEYS, 2 do
            local head = redis.call('HMGET', KEYS[i], 'epoch', 'v', 'id')
            reply[#reply + 1] = head[1]
            reply[#reply + 1] = head[2]
            reply[#reply + 1] = head[3]
            reply[#reply + 1] = redis.call('GET', KEYS[i + 1])
        end
        return reply
        """)
}
