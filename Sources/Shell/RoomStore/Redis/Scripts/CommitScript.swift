import Redis

extension RedisScript {
    /// Appends entries. The first write is one that Redis refuses when it is full, so a refused
    /// commit has changed nothing.
    ///
    /// Keys: head, log, rooms, fence. Arguments: epoch, expected, conditional (0, 1), proposed,
    /// inline (0, 1: the notice carries the entries), channel, notice head, entry lengths, room,
    /// summary up to the version, summary after it, then the entries.
    ///
    /// Answers `{previous, first}`, or a word: `FENCED`, `NOROOM`, `BEHIND <head>`,
    /// `CONFLICT <head>`.
    static let commit = RedisScript(
        """
        local call, format, arg = redis.call, string.format, ARGV
        if call('EXISTS', KEYS[4]) == 1 then return 'FENCED' end
        local head = call('HMGET', KEYS[1], 'v', 'epoch', 'lb')
        if not head[1] or head[2] ~= arg[1] then return 'NOROOM' end
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
        for i = 12, #arg do
            if i > 12 then
                version = version + 1
                at = format('%.0f', version)
            end
            call('XADD', KEYS[2], at .. '-0', 'p', before, 'e', arg[i])
            before = at
            bytes = bytes + #arg[i]
        end
        call('HSET', KEYS[1], 'v', before, 'lb', bytes)
        if isExpected then call('HSET', KEYS[3], arg[9], arg[10] .. before .. arg[11]) end
        if arg[5] == '1' then
            local body = arg[12]
            if #arg > 12 then body = table.concat(arg, '', 12) end
            call('PUBLISH', arg[6],
                'e ' .. arg[7] .. ' ' .. previous .. ' ' .. first .. ' ' .. arg[8] .. '\\n' .. body)
        else
            call('PUBLISH', arg[6], 'h ' .. arg[7] .. ' ' .. before .. '\\n')
        end
        return {previous, first}
        """)
}
