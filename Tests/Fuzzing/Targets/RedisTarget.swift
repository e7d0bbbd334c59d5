import NIOCore

@testable import Redis

extension FuzzTarget {
    /// Replies of Redis: the same values and the same refusal wherever the stream is cut, within
    /// the limits.
    static let redis = FuzzTarget(name: "redis", maxBytes: 16 << 10) { input in
        var input = FuzzInput(input)
        let seed = input.byte()
        var limits = RedisLimits()
        limits.maxReplyValues = 1_000
        limits.maxReplyDepth = input.below(8)
        limits.maxReplyBytes = 64 << 10
        let whole = try decode([input.rest], limits)
        let pieces = try decode(RandomSplit(input.rest, seed: seed), limits)
        try require(whole.values == pieces.values, "the split changes the values")
        try require(whole.isRefused == pieces.isRefused, "the split changes the refusal")
        for value in whole.values {
            var count = 0
            try check(value, depth: 0, &count, limits)
            _ = (value.string, value.int, value.bytes)
        }
    }

    private static func decode(
        _ pieces: some Sequence<ArraySlice<UInt8>>, _ limits: RedisLimits
    ) throws -> (values: [RESPValue], isRefused: Bool) {
        guard let decoder = RESPDecoder(limits: limits) else {
            throw Finding(description: "no memory")
        }
        var values: [RESPValue] = []
        for piece in pieces {
            do throws(RESPError) {
                try decoder.decode(ByteBuffer(bytes: piece), into: &values)
            } catch {
                let before = values.count
                let isOver =
                    (try? decoder.decode(ByteBuffer(string: "+OK\r\n"), into: &values)) == nil
                try require(isOver && values.count == before, "goes on after an error")
                return (values, true)
            }
        }
        return (values, false)
    }

    private static func check(
        _ value: RESPValue, depth: Int, _ count: inout Int, _ limits: RedisLimits
    ) throws {
        count += 1
        try require(count <= limits.maxReplyValues, "more values than allowed")
        guard case .array(let values) = value, !values.isEmpty else { return }
        try require(depth < limits.maxReplyDepth, "deeper than allowed")
        for value in values { try check(value, depth: depth + 1, &count, limits) }
    }
}
