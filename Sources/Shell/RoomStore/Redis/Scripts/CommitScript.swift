import Redis

extension RedisScript {
    /// Appends entries. The first write is one that Redis refuses when it is full, so a refused
    /// commit has changed nothing.
    ///
    /// Keys: head, log, rooms, fence. Arguments: epoch, expected, conditional (0, 1), proposed,
    /// inline (0, 1: the notice carries the entries), channel, notice head, entry lengths, room,
    /// summary up to the version, summary after it, id of the last entry, generation, then the
    /// entries.
    ///
    /// Answers `{previous, first}`, or a word: `FENCED`, `NOROOM`, `BEHIND <head>`,
    /// `CONFLICT <head>`, `HELD` (another store asks for a moment) or `LATE` (sent before
    /// this store gave its connection up and carried the entries over anew).
    static let commit = RedisScript(
        """
        local call, format, arg = redis.call, string.format, ARGV
        if call('EXISTS', KEYS[4]) == 1 then return 'FENCED' end
        local store = string.sub(arg[7], #arg[1] + 2)
        local head = call('HMGET', KEYS[1], 'v', 'epoch', 'lb', 'hold', 'g:' .. store)
        if not head[1] or head[2] ~= arg[1] then return 'NOROOM' end
        if head[5] and tonumber(head[5]) > tonumber(arg[13]) then return 'LATE' end
        if head[4] then
            local holder, ends = string.match(head[4], '^(%S+) (%d+)$')
            local now = call('TIME')
            if holder ~= store
                and now[1] * 1000 + now[2] / 1000 < tonumber(ends) then return 'HELD' end
        end
        local previous = head[1]
        local isExpected = previous == arg[2]
        if not isExpected then
            if tonumber(previous) < tonumber(arg[2]) then return 'BEHIND ' .. previous end
            if arg[3] == '1' then return 'CONFLICT ' .. previous end
        end
        local version, proposed = tonumber(previous) + 1, tonumber(arg[4])
        if proposed > version then version = proposed end
        local first, before, bytes = format('%.0f', version), previous, tonumber(head[3])
        local at = first
        for i = 14, #arg do
            if i > 14 then
                version = version + 1
                at = format('%.0f', version)
            end
            call('XADD', KEYS[2], at .. '-0', 'p', before, 'e', arg[i])
            before = at
            bytes = bytes + #arg[i]
        end
        call('HSET', KEYS[1], 'v', before, 'lb', bytes, 'id', arg[12])
        if isExpected then
            call('HSET', KEYS[3], arg[9], arg[10] .. before .. arg[11])
        else
            local summary = call('HGET', KEYS[3], arg[9])
            if summary then
                local new = string.gsub(summary, '"version":%d+', '"version":' .. before, 1)
                call('HSET', KEYS[3], arg[9], new)
            end
        end
        if arg[5] == '1' then
            local body = arg[14]
            if #arg > 14 then body = table.concat(arg, '', 14) end
            call('PUBLISH', arg[6],
                'e ' .. arg[7] .. ' ' .. previous .. ' ' .. first .. ' ' .. arg[8] .. '\\n' .. body)
        else
            call('PUBLISH', arg[6], 'h ' .. arg[7] .. ' ' .. before .. '\\n')
        end
        return {previous, first}
        """)

    /// Asks others to wait with commits of a room. Keys: head. Arguments: epoch, store id,
    /// milliseconds. Answers 1, or 0 if there is no such room or another holds it.
    static let hold = RedisScript(
        """
        local head = redis.call('HMGET', KEYS[1], 'epoch', 'hold')
        if head[1] ~= ARGV[1] then return 0 end
        local time = redis.call('TIME')
        local now = math.floor(time[1] * 1000 + time[2] / 1000)
        if head[2] then
            local holder, ends = string.match(head[2], '^(%S+) (%d+)$')
            if holder ~= ARGV[2] and now < tonumber(ends) then return 0 end
        end
        redis.call('HSET', KEYS[1], 'hold', ARGV[2] .. ' ' .. string.format('%.0f', now + ARGV[3]))
        return 1
        """)

    /// Refuses what this store sent on connections that it has given up: a command that lay in the
    /// network must not take effect after what came later. Keys: head. Arguments: epoch, store id,
    /// generation.
    static let bar = RedisScript(
        """
        if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
        redis.call('HSET', KEYS[1], 'g:' .. ARGV[2], ARGV[3])
        return 1
        """)

    /// Ends a hold. Keys: head. Arguments: store id, or empty for whosever it is.
    static let release = RedisScript(
        """
        local hold = redis.call('HGET', KEYS[1], 'hold')
        if hold and (ARGV[1] == '' or string.find(hold, ARGV[1] .. ' ', 1, true) == 1) then
            redis.call('HDEL', KEYS[1], 'hold')
        end
        return 1
        """)
}
