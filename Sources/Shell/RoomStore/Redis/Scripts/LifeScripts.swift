import Redis

// How a room comes to be, is put back, and ends.

extension RedisScript {
    /// Makes a room unless there is one, and removes what an earlier one left.
    ///
    /// Keys: head, log, rooms, fence, checkpoint, deleted. Arguments: proposed, room, summary up to
    /// the epoch, summary after the version, channel, store id, id of the last entry, then the
    /// entries.
    ///
    /// Answers the epoch, or `FENCED`, `EXISTS`.
    static let create = RedisScript(
        """
        local call, format, arg = redis.call, string.format, ARGV
        if call('EXISTS', KEYS[4]) == 1 then return 'FENCED' end
        if call('EXISTS', KEYS[1]) == 1 then return 'EXISTS' end
        local version = tonumber(arg[1])
        local deleted = tonumber(call('GET', KEYS[6]) or 0) + 1
        if deleted > version then version = deleted end
        local epoch = format('%.0f', version)
        call('HSET', KEYS[1], 'v', epoch, 'epoch', epoch, 'cp', 0, 'lb', 0, 'kb', 0)
        call('DEL', KEYS[2], KEYS[5])
        local before, bytes = '0', 0
        for i = 8, #arg do
            local at = format('%.0f', version)
            call('XADD', KEYS[2], at .. '-0', 'p', before, 'e', arg[i])
            before = at
            bytes = bytes + #arg[i]
            version = version + 1
        end
        call('HSET', KEYS[1], 'v', before, 'lb', bytes, 'id', arg[7])
        call('HSET', KEYS[3], arg[2], arg[3] .. epoch .. ',"version":' .. before .. arg[4])
        call('PUBLISH', arg[5], 'h ' .. epoch .. ' ' .. arg[6] .. ' ' .. before .. '\\n')
        return epoch
        """)

    /// Removes a room and everything of it, and remembers its epoch.
    ///
    /// Keys: head, log, rooms, fence, checkpoint, deleted. Arguments: epoch, expected, conditional,
    /// proposed, room, channel, store id, seconds to remember, last entry.
    ///
    /// Answers as `commit` does.
    static let delete = RedisScript(
        """
        local call, arg = redis.call, ARGV
        if call('EXISTS', KEYS[4]) == 1 then return 'FENCED' end
        local head = call('HMGET', KEYS[1], 'v', 'epoch')
        if not head[1] or head[2] ~= arg[1] then return 'NOROOM' end
        if head[1] ~= arg[2] then
            if tonumber(head[1]) < tonumber(arg[2]) then return 'BEHIND ' .. head[1] end
            if arg[3] == '1' then return 'CONFLICT ' .. head[1] end
        end
        call('DEL', KEYS[1], KEYS[2], KEYS[5])
        call('HDEL', KEYS[3], arg[5])
        call('SET', KEYS[6], arg[1], 'EX', arg[8])
        call('PUBLISH', arg[6], 'd ' .. arg[1] .. ' ' .. arg[7] .. '\\n' .. arg[9])
        local first = tonumber(head[1]) + 1
        if tonumber(arg[4]) > first then first = tonumber(arg[4]) end
        return {head[1], string.format('%.0f', first)}
        """)

    /// Puts a room where there is none, or in the place of the one that stands at a given version.
    ///
    /// Keys: head, log, rooms, checkpoint, deleted. Arguments: epoch, head, checkpoint version,
    /// checkpoint, expected epoch and expected head (empty for none), room, summary, channel,
    /// store id, seconds to remember, bytes after the checkpoint, bytes before it, id of the last
    /// entry (empty if unknown), then for each entry version, previous, entry.
    ///
    /// Answers `DONE`, `CONFLICT` or `DELETED`.
    static let restore = RedisScript(
        """
        local call, arg = redis.call, ARGV
        local deleted = call('GET', KEYS[5])
        if deleted and tonumber(deleted) >= tonumber(arg[1]) then return 'DELETED' end
        local head = call('HMGET', KEYS[1], 'v', 'epoch')
        if (head[1] or '') ~= arg[6] or (head[2] or '') ~= arg[5] then return 'CONFLICT' end
        call('SET', KEYS[4], arg[4])
        call('DEL', KEYS[1], KEYS[2])
        call('HSET', KEYS[1], 'v', arg[2], 'epoch', arg[1], 'cp', arg[3], 'lb', arg[12],
            'kb', arg[13], 'id', arg[14])
        for i = 15, #arg, 3 do
            call('XADD', KEYS[2], arg[i] .. '-0', 'p', arg[i + 1], 'e', arg[i + 2])
        end
        call('HSET', KEYS[3], arg[7], arg[8])
        if arg[5] ~= '' and arg[5] ~= arg[1] then
            if tonumber(arg[5]) < tonumber(arg[1]) then
                call('SET', KEYS[5], arg[5], 'EX', arg[11])
            end
            call('PUBLISH', arg[9], 'd ' .. arg[5] .. ' ' .. arg[10] .. '\\n')
        end
        call('PUBLISH', arg[9], 'h ' .. arg[1] .. ' ' .. arg[10] .. ' ' .. arg[2] .. '\\n')
        return 'DONE'
        """)

    /// Continues a log with entries that have versions already.
    ///
    /// Keys: head, log, rooms. Arguments: epoch, expected head, new head, room, summary, channel,
    /// store id, id of the last entry, then for each entry version, previous, entry.
    ///
    /// Answers `DONE` or `CONFLICT`.
    static let append = RedisScript(
        """
        local call, arg = redis.call, ARGV
        local head = call('HMGET', KEYS[1], 'v', 'epoch', 'lb')
        if head[1] ~= arg[2] or head[2] ~= arg[1] then return 'CONFLICT' end
        local bytes = tonumber(head[3])
        for i = 9, #arg, 3 do
            call('XADD', KEYS[2], arg[i] .. '-0', 'p', arg[i + 1], 'e', arg[i + 2])
            bytes = bytes + #arg[i + 2]
        end
        call('HSET', KEYS[1], 'v', arg[3], 'lb', bytes, 'id', arg[8])
        call('HSET', KEYS[3], arg[4], arg[5])
        call('PUBLISH', arg[6], 'h ' .. arg[1] .. ' ' .. arg[7] .. ' ' .. arg[3] .. '\\n')
        return 'DONE'
        """)
}
