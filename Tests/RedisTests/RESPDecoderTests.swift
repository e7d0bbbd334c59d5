import NIOCore
import Testing

@testable import Redis

@Suite struct RESPDecoderTests {
    static let wire = Array(
        ("+OK\r\n:-9223372036854775808\r\n$5\r\nab\r\nc\r\n$-1\r\n*-1\r\n*0\r\n$0\r\n\r\n"
            + "-WRONGTYPE not a list\r\n*3\r\n:1\r\n*2\r\n+a\r\n*0\r\n$2\r\nzz\r\n+end\r\n").utf8)

    static let values: [RESPValue] = [
        .simpleString(Array("OK".utf8)), .integer(.min), .bulkString(Array("ab\r\nc".utf8)), .null,
        .null, .array([]), .bulkString([]), .error("WRONGTYPE not a list"),
        .array([
            .integer(1), .array([.simpleString(Array("a".utf8)), .array([])]),
            .bulkString(Array("zz".utf8)),
        ]),
        .simpleString(Array("end".utf8)),
    ]

    private func decode(
        _ parts: [[UInt8]], limits: RedisLimits = .init()
    ) throws -> (values: [RESPValue], error: RESPError?) {
        let decoder = try #require(RESPDecoder(limits: limits))
        var values: [RESPValue] = []
        do {
            for part in parts { try decoder.decode(ByteBuffer(bytes: part), into: &values) }
        } catch {
            return (values, error)
        }
        return (values, nil)
    }

    @Test func everyTypeOfReplyIsRead() throws {
        let result = try decode([Self.wire])
        #expect(result.error == nil)
        #expect(result.values == Self.values)
    }

    @Test(arguments: 0...wire.count)
    func bytesMayBeCutAnywhere(cut: Int) throws {
        let result = try decode([Array(Self.wire[..<cut]), Array(Self.wire[cut...])])
        #expect(result.error == nil)
        #expect(result.values == Self.values)
    }

    @Test func bytesMayComeOneByOne() throws {
        let result = try decode(Self.wire.map { [$0] })
        #expect(result.values == Self.values)
    }

    @Test func manyRepliesInOneReadAreAllRead() throws {
        let wire = Array(String(repeating: ":7\r\n$3\r\nabc\r\n", count: 20_000).utf8)
        let result = try decode([wire])
        #expect(result.values.count == 40_000)
        #expect(result.values[39_999] == .bulkString(Array("abc".utf8)))
    }

    @Test func aReplyOfMegabytesInSmallPartsIsRead() throws {
        let body = [UInt8](repeating: 0x61, count: 3 << 20)
        var parts = [Array("$\(body.count)\r\n".utf8)]
        for start in stride(from: 0, to: body.count, by: 10_007) {
            parts.append(Array(body[start..<min(start + 10_007, body.count)]))
        }
        parts.append(Array("\r\n:1\r\n".utf8))
        let result = try decode(parts)
        #expect(result.error == nil)
        #expect(result.values == [.bulkString(body), .integer(1)])
    }

    @Test(arguments: [
        "?\r\n", "HTTP/1.1 400 Bad Request\r\n", ":12a\r\n", "$x\r\n", "*1x\r\n", "$-2\r\n",
        "*-2\r\n",
        "*99999999999999999999\r\n", ":\r\n", "*4294967296\r\n",
    ])
    func whatIsNotRESPIsRefusedAfterWhatIs(garbage: String) throws {
        let result = try decode([Array("+OK\r\n".utf8) + Array(garbage.utf8)])
        #expect(result.error != nil)
        #expect(result.values == [.simpleString(Array("OK".utf8))])
    }

    @Test func anErrorIsFinal() throws {
        let decoder = try #require(RESPDecoder())
        var values: [RESPValue] = []
        #expect(throws: RESPError.self) {
            try decoder.decode(ByteBuffer(string: "*1\r\n?"), into: &values)
        }
        #expect(throws: RESPError.self) {
            try decoder.decode(ByteBuffer(string: "+OK\r\n"), into: &values)
        }
        #expect(values.isEmpty)
    }

    @Test func arraysAreReadToTheDepthLimitAndRefusedBeyond() throws {
        let atLimit = String(repeating: "*1\r\n", count: 7) + ":1\r\n"
        let beyond = String(repeating: "*1\r\n", count: 8) + ":1\r\n"
        let nested = (0..<7).reduce(RESPValue.integer(1)) { value, _ in .array([value]) }
        #expect(try decode([Array(atLimit.utf8)]).values == [nested])
        #expect(try decode([Array(beyond.utf8)]).error != nil)
        let absurd = String(repeating: "*1\r\n", count: 100_000)
        #expect(try decode([Array(absurd.utf8)]).error != nil)
    }

    @Test func anAnnouncedArrayTakesNoMemoryBeforeItComes() throws {
        #expect(
            try decode([Array("*2147483647\r\n".utf8)]).error?.reason.contains("values") == true)
        var limits = RedisLimits()
        limits.maxReplyValues = .max
        let result = try decode([Array("*2147483647\r\n:1\r\n".utf8)], limits: limits)
        #expect(result.error == nil)
        #expect(result.values.isEmpty)
    }

    @Test func tooManyValuesInOneReplyAreRefused() throws {
        var limits = RedisLimits()
        limits.maxReplyValues = 10
        let fits = "*3\r\n*2\r\n:1\r\n:2\r\n*2\r\n:1\r\n:2\r\n:3\r\n"
        let exceeds =
            "*3\r\n*4\r\n:1\r\n:2\r\n:1\r\n:2\r\n*5\r\n:3\r\n:3\r\n:3\r\n:3\r\n:3\r\n:3\r\n"
        #expect(try decode([Array(fits.utf8)], limits: limits).values.count == 1)
        #expect(try decode([Array(exceeds.utf8)], limits: limits).error != nil)
    }

    @Test func aReplyBeyondTheByteLimitIsRefusedBeforeItIsComplete() throws {
        var limits = RedisLimits()
        limits.maxReplyBytes = 100_000
        let part = [UInt8](repeating: 0x61, count: 50_000)
        let head = Array("$9223372036854775807\r\n".utf8)
        #expect(try decode([head, part], limits: limits).error == nil)
        #expect(
            try decode([head, part, part], limits: limits).error?.reason.contains("bytes") == true)
        let line = Array("+".utf8) + part + part
        #expect(try decode([line, part], limits: limits).error != nil)
    }

    @Test func theByteLimitCountsEachReplyAlone() throws {
        var limits = RedisLimits()
        limits.maxReplyBytes = 20_000
        let reply = Array("$1000\r\n".utf8) + [UInt8](repeating: 0x61, count: 1_000) + [13, 10]
        let result = try decode([Array((0..<100).map { _ in reply }.joined())], limits: limits)
        #expect(result.error == nil)
        #expect(result.values.count == 100)
    }

    /// Seeded, so a failure can be seen again.
    @Test(arguments: 0..<200)
    func noBytesStopTheProcess(seed: Int) throws {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        let alphabet = Array("*$:+-0123456789\r\n\r\n\r\nab".utf8)
        var bytes: [UInt8] = []
        for _ in 0..<2_000 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            bytes.append(alphabet[Int(state % UInt64(alphabet.count))])
        }
        let whole = try decode([bytes])
        let split = try decode(bytes.map { [$0] })
        #expect(whole.values == split.values)
        #expect((whole.error == nil) == (split.error == nil))
    }
}

@Suite struct RESPEncoderTests {
    @Test func aCommandIsAnArrayOfBulkStrings() {
        let arguments: [RESPArgument] = [
            "SET", RESPArgument([0, 13, 10, 255]), -42, RESPArgument(ByteBuffer(string: "é")), "",
            RESPArgument(UInt64.max), RESPArgument([1, 2, 3, 4][1...2]),
        ]
        var buffer = ByteBuffer()
        RESPEncoder.encode(arguments, into: &buffer)
        var wire = Array("*7\r\n$3\r\nSET\r\n$4\r\n".utf8) + [0, 13, 10, 255]
        wire += Array("\r\n$3\r\n-42\r\n$2\r\né\r\n$0\r\n\r\n$20\r\n18446744073709551615\r\n".utf8)
        wire += Array("$2\r\n".utf8) + [2, 3, 13, 10]
        #expect(Array(buffer.readableBytesView) == wire)
        #expect(RESPEncoder.sizeBound(arguments) >= wire.count)
    }

    @Test func anEncodedCommandIsReadBackAsAnArray() throws {
        var buffer = ByteBuffer()
        RESPEncoder.encode(["ECHO", 7], into: &buffer)
        let decoder = try #require(RESPDecoder())
        var values: [RESPValue] = []
        try decoder.decode(buffer, into: &values)
        #expect(values == [.array([.bulkString(Array("ECHO".utf8)), .bulkString([0x37])])])
    }
}
