import NIOCore
import NIOEmbedded
import Testing

@testable import Redis

/// A connection over an embedded channel and a clock that the test moves.
@Suite struct RedisConnectionTests {
    let loop = EmbeddedEventLoop()
    let channel: EmbeddedChannel

    init() throws {
        channel = EmbeddedChannel(loop: loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private func connection(_ change: (inout RedisLimits) -> Void = { _ in }) throws
        -> RedisConnection
    {
        var limits = RedisLimits()
        change(&limits)
        return try RedisConnection(channel: channel, limits: limits)
    }

    private func written() throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: bytes)
        }
        return text
    }

    private func receive(_ text: String) throws {
        try channel.writeInbound(ByteBuffer(string: text))
    }

    /// The result that `future` has now.
    private func result(_ future: EventLoopFuture<RESPValue>) -> Result<RESPValue, RedisError>? {
        let box = NIOLoopBoundBox<Result<RESPValue, RedisError>?>(nil, eventLoop: loop)
        future.whenComplete {
            box.value = $0.mapError { $0 as? RedisError ?? .unexpectedReply("\($0)") }
        }
        return box.value
    }

    @Test func commandsOfOneTickLeaveInOneWrite() throws {
        let connection = try connection()
        let first = connection.send(["GET", "a"])
        let second = connection.send(["GET", "b"])
        loop.run()
        let bytes = try #require(try channel.readOutbound(as: ByteBuffer.self))
        #expect(String(buffer: bytes).hasSuffix("$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n"))
        #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
        try receive(":1\r\n:2\r\n")
        #expect(result(first) == .success(.integer(1)))
        #expect(result(second) == .success(.integer(2)))
        #expect(connection.inFlightBytes == 0)
        connection.end(RedisProblem(.closed, ""))
    }

    @Test func anErrorReplyFailsItsCommandOnly() throws {
        let connection = try connection()
        let first = connection.send(["LPOP", "a"])
        let second = connection.send(["GET", "a"])
        try receive("-WRONGTYPE no\r\n$-1\r\n")
        #expect(result(first) == .failure(.server(code: "WRONGTYPE", message: "no")))
        #expect(result(second) == .success(.null))
        #expect(connection.ending == nil)
        connection.end(RedisProblem(.closed, ""))
    }

    @Test func aMissedDeadlineEndsTheConnectionAndAllInFlight() throws {
        let connection = try connection()
        let early = connection.send(["GET", "a"], deadline: .seconds(1))
        loop.advanceTime(by: .milliseconds(900))
        let late = connection.send(["GET", "b"], deadline: .seconds(1))
        #expect(result(early) == nil)
        loop.advanceTime(by: .milliseconds(99))
        #expect(connection.ending == nil)
        loop.advanceTime(by: .milliseconds(1))
        let problem = RedisProblem(.timeout, "a command was not answered in time")
        #expect(result(early) == .failure(.timeout))
        #expect(result(late) == .failure(.connectionLost(problem)))
        #expect(connection.ending == problem)
        #expect(result(connection.send(["PING"])) == .failure(.unavailable(problem)))
    }

    @Test func aShorterDeadlineBehindALongerOneHolds() throws {
        let connection = try connection()
        let long = connection.send(["EVAL"], deadline: .seconds(60))
        let short = connection.send(["GET", "b"], deadline: .milliseconds(300))
        loop.advanceTime(by: .milliseconds(300))
        #expect(result(short) == .failure(.timeout))
        #expect(result(long) == .failure(.connectionLost(try #require(connection.ending))))
    }

    @Test func anAnsweredCommandLeavesNoDeadlineBehind() throws {
        let connection = try connection()
        _ = connection.send(["GET", "a"], deadline: .seconds(1))
        try receive("$-1\r\n")
        loop.advanceTime(by: .milliseconds(800))
        let second = connection.send(["GET", "a"], deadline: .seconds(1))
        loop.advanceTime(by: .milliseconds(900))
        #expect(connection.ending == nil)
        loop.advanceTime(by: .milliseconds(100))
        #expect(result(second) == .failure(.timeout))
    }

    @Test func tooManyCommandsInFlightAreRefusedAtOnce() throws {
        let connection = try connection { $0.maxInFlightCommands = 2 }
        let first = connection.send(["GET", "a"])
        _ = connection.send(["GET", "b"])
        #expect(result(connection.send(["GET", "c"])) == .failure(.overloaded))
        try receive(":1\r\n")
        #expect(result(first) == .success(.integer(1)))
        #expect(result(connection.send(["GET", "c"])) == nil)
        connection.end(RedisProblem(.closed, ""))
    }

    @Test func tooManyBytesInFlightAreRefusedAtOnce() throws {
        let connection = try connection { $0.maxInFlightBytes = 1_000 }
        let body = RESPArgument([UInt8](repeating: 0, count: 600))
        #expect(result(connection.send(["SET", "a", body])) == nil)
        #expect(result(connection.send(["SET", "a", body])) == .failure(.overloaded))
        loop.run()
        #expect(try written().contains("SET"))
        try receive("+OK\r\n")
        #expect(result(connection.send(["SET", "a", body])) == nil)
        connection.end(RedisProblem(.closed, ""))
    }

    @Test func whatIsNotRESPEndsTheConnectionAfterTheRepliesBeforeIt() throws {
        let connection = try connection()
        let first = connection.send(["GET", "a"])
        let second = connection.send(["GET", "b"])
        try receive(":1\r\nHTTP/1.1 200 OK\r\n")
        #expect(result(first) == .success(.integer(1)))
        #expect(connection.ending?.code == .protocolError)
        #expect(result(second) == .failure(.connectionLost(try #require(connection.ending))))
        #expect(!channel.isActive)
    }

    @Test func aReplyToNoCommandEndsTheConnection() throws {
        let connection = try connection()
        try receive("+OK\r\n")
        #expect(connection.ending?.code == .protocolError)
    }

    @Test func anUnaskedErrorSaysWhyTheConnectionEnds() throws {
        let connection = try connection()
        try receive("-ERR max number of clients reached\r\n")
        #expect(connection.ending?.code == .tooManyClients)
    }

    @Test func conditionsOfTheServerAreTold() throws {
        let connection = try connection()
        let codes = NIOLoopBoundBox<[RedisProblem.Code]>([], eventLoop: loop)
        connection.onRefusal = { codes.value.append($0.code) }
        let lines = [
            "LOADING x", "READONLY x", "OOM x", "MISCONF x", "NOREPLICAS x", "NOAUTH x",
            "NOPERM x", "MASTERDOWN x", "BUSY x", "WRONGTYPE x", "NOSCRIPT x", "ERR x",
        ]
        for line in lines {
            _ = connection.send(["SET"])
            try receive("-\(line)\r\n")
        }
        #expect(
            codes.value == [
                .loading, .readOnly, .outOfMemory, .persistenceFailed, .notEnoughReplicas,
                .authenticationFailed, .noPermission, .primaryDown, .busy,
            ])
        connection.end(RedisProblem(.closed, ""))
    }

    @Test func aCallbackMaySendAndEndWithoutHarm() throws {
        let connection = try connection()
        let second = connection.send(["A"]).flatMap { _ in connection.send(["B"]) }
        let third = connection.send(["C"]).map { value in
            connection.end(RedisProblem(.closed, "by a callback"))
            return value
        }
        let fourth = connection.send(["D"])
        try receive(":1\r\n:2\r\n:3\r\n")
        #expect(result(third) == .success(.integer(2)))
        let lost = RedisError.connectionLost(RedisProblem(.closed, "by a callback"))
        #expect(result(second) == .failure(lost))
        #expect(result(fourth) == .failure(lost))
    }

    @Test func drainingWaitsForTheLastReply() throws {
        let connection = try connection()
        let first = connection.send(["GET", "a"])
        connection.drain()
        #expect(connection.ending == nil)
        #expect(result(connection.send(["GET", "b"])) == .failure(.closed))
        try receive(":1\r\n")
        #expect(result(first) == .success(.integer(1)))
        #expect(connection.ending?.code == .closed)
    }
}
