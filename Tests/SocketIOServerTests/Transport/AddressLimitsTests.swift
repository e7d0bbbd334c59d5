import NIOCore
import NIOPosix
import Testing

@testable import SocketIOServer

/// What one address may have and do; here 127.0.0.1, which is trusted unless said otherwise.
@Suite(.timeLimit(.minutes(1))) struct AddressLimitsTests {
    private static func options(trusting: [AddressRange] = []) -> ServerOptions {
        var options = TestServer.options()
        options.trustedProxies = trusting
        return options
    }

    private static let open = "/socket.io/?EIO=4&transport=polling"

    @Test func theConnectionsOfAPeerAreBounded() async throws {
        var options = Self.options()
        options.limits.maxConnectionsPerAddress = 2
        try await TestServer.run(options) { server in
            let first = try await server.connect()
            let second = try await server.connect()
            #expect(try await first.exchange("GET", "/").status == 404)
            #expect(try await second.exchange("GET", "/").status == 404)
            let third = try await server.connect()
            #expect(try await third.readAnswer().status == 429)
            await third.readEnd()
            first.close()
            let engine = server.server
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try await loop.until { engine.metrics.openConnections == 1 }
            let fourth = try await server.connect()
            #expect(try await fourth.exchange("GET", "/").status == 404)
        }
    }

    @Test func theSessionsOfAnAddressAreBounded() async throws {
        var options = Self.options()
        options.limits.maxSessionsPerAddress = 1
        try await TestServer.run(options) { server in
            let first = try await server.openWebSocket()
            let second = try await server.connect()
            let answer = try await second.exchange("GET", Self.open)
            #expect(answer.status == 429)
            #expect(
                answer.body == #"{"code":4,"message":"Too many connections from this address"}"#)
            first.close()
            #expect(await server.nextSeen() == .closed(.transportClose))
            #expect(try await second.exchange("GET", Self.open).status == 200)
        }
    }

    @Test func theSessionsThatAnAddressOpensInASecondAreBounded() async throws {
        var options = Self.options()
        options.limits.sessionsPerSecondPerAddress = 1
        options.limits.sessionBurstPerAddress = 3
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            var statuses: [Int] = []
            for _ in 0..<3 {
                statuses.append(try await client.exchange("GET", Self.open).status)
            }
            #expect(statuses == [200, 200, 200])
            let refused = try await client.exchange("GET", Self.open)
            #expect(refused.status == 429)
            #expect(refused.headers["retry-after"] == "1")
            #expect(refused.body.contains("try again later"))
        }
    }

    @Test func theRequestsOfAnAddressInASecondAreBounded() async throws {
        var options = Self.options()
        options.limits.requestsPerSecondPerAddress = 1
        options.limits.requestBurstPerAddress = 2
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            #expect(try await client.exchange("GET", "/").status == 404)
            #expect(try await client.exchange("GET", "/").status == 404)
            let refused = try await client.exchange("GET", "/")
            #expect(refused.status == 429)
            #expect(refused.body.contains("RATE_LIMITED"))
            #expect(refused.headers["retry-after"] == "1")
        }
    }

    @Test func oneAddressBehindAProxyIsLimitedAndTheOthersAreNot() async throws {
        var options = Self.options(trusting: AddressRange.loopback)
        options.limits.maxSessionsPerAddress = 1
        try await TestServer.run(options) { server in
            let client = try await server.connect()
            func status(_ address: String?) async throws -> Int {
                let headers = address.map { ["x-forwarded-for": $0] } ?? [:]
                return try await client.exchange("GET", Self.open, headers: headers).status
            }
            #expect(try await status("203.0.113.7") == 200)
            #expect(try await status("203.0.113.7") == 429)
            #expect(try await status("198.51.100.1, 203.0.113.7") == 429)
            #expect(try await status("203.0.113.8") == 200)
            #expect(try await status("2001:db8::1") == 200)
            #expect(try await status("2001:db8::2") == 429)
            #expect(try await status("2001:db8:0:1::2") == 200)
            #expect(try await status(nil) == 200)
            #expect(try await status(nil) == 200)
        }
    }

    @Test func aSlowReaderKeepsItsConnectionWhileItReads() async throws {
        var options = Self.options(trusting: AddressRange.loopback)
        options.limits.httpIdleTimeout = .seconds(1)
        options.httpHandler = { request in
            let body = ByteBuffer(repeating: 0x61, count: 16 << 20)
            return request.eventLoop.makeSucceededFuture(HTTPResponse(body: body))
        }
        try await TestServer.run(options) { server in
            let reader = try await server.connect(receiveBuffer: 64 << 10)
            reader.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
            try await reader.readSlowly(for: .milliseconds(2_500))
            #expect(try await reader.readAnswer().body.utf8.count == 16 << 20)
            let sleeper = try await server.connect(receiveBuffer: 64 << 10)
            try await sleeper.stopReading()
            sleeper.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
            let engine = server.server
            reader.close()
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            try await loop.until { engine.metrics.openConnections == 0 }
            sleeper.close()
        }
    }
}

@Suite struct AddressBookTests {
    @Test func aPaceLetsABurstThroughAndThenTheRate() {
        var pace = Pace()
        let start: Int64 = 5_000_000
        let offsets: [Int64] = [0, 0, 0, 0, 0, 0, 99_000, 100_000, 100_000]
        let passed = offsets.map { pace.take(at: start + $0, perSecond: 10, burst: 4) }
        #expect(passed == [true, true, true, true, false, false, false, true, false])
        #expect(!pace.isRested(at: start + 100_000))
        #expect(pace.isRested(at: start + 500_000))
    }

    @Test func noNumberMakesAPaceTrap() {
        for (now, rate, burst) in [
            (Int64.max, 1, Int.max), (Int64.max, Int.max, 1), (0, 0, 0), (Int64.min + 1, 1, 1),
        ] {
            var pace = Pace()
            let first = pace.take(at: now, perSecond: rate, burst: burst)
            #expect(first)
            _ = pace.take(at: now, perSecond: rate, burst: burst)
        }
    }

    @Test func addressesWithNothingOpenAreForgotten() {
        var limits = ServerOptions.Limits()
        limits.rememberedAddresses = 100
        let book = AddressBook(limits: limits)
        #expect(book.sessionOpened("192.0.2.1", at: 0) == nil)
        var now: Int64 = 0
        for number in 0..<10_000 {
            now += 1_000
            #expect(book.requestArrived("10.0.\(number / 250).\(number % 250)", at: now))
        }
        #expect(book.count < 1_200)
        #expect(book.sessionOpened("192.0.2.1", at: now) == nil)
        for _ in 0..<3 { book.sessionClosed("192.0.2.1") }
        #expect(book.connectionOpened("198.51.100.1"))
        for _ in 0..<2 { book.connectionClosed("198.51.100.1") }
    }

    @Test(arguments: [
        ("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "20:1:d:b8:0:1:0:2/64"), ("unix", "unix"), ("", ""),
        (":::nonsense", ":::nonsense"),
    ])
    func anAddressCountsByWhatItsOwnerCannotChoose(address: String, key: String) {
        #expect(AddressBook.key(of: address) == key)
    }
}
