import NIOHTTP1
import Testing

@testable import SocketIOServer

@Suite struct TransportValueTests {
    @Test func aTargetIsTakenApart() {
        let target = RequestTarget("/a%20b?x=1&y=&z&%61=%zz%4&p=a%2Bb+c#f")
        #expect(target.path == "/a%20b")
        let items = target.query.map { "\($0.name)=\($0.value)" }
        #expect(items == ["x=1", "y=", "z=", "a=%zz%4", "p=a+b c"])
        #expect(RequestTarget("http://host:1/p?q=1").path == "/p")
        #expect(RequestTarget("http://host").path == "/")
        #expect(RequestTarget("").path == "")
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false),
        ("192.168.4.0/22", "192.168.7.255", true), ("192.168.4.0/22", "192.168.8.0", false),
        ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false),
        ("::1", "::1", true), ("fd00::/8", "fdab::1", true), ("fd00::/8", "fe80::1", false),
        ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false),
        ("127.0.0.0/8", "::ffff:127.0.0.1", true), ("10.0.0.0/8", "nonsense", false),
    ])
    func aRangeContainsItsAddresses(range: String, address: String, expected: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(address) == expected)
    }

    @Test(arguments: ["", "10.0.0.0/33", "10.0.0/8", "x", "::/129", "10.0.0.0/-1", "1.2.3.4/"])
    func whatIsNoRangeIsRefused(text: String) {
        #expect(AddressRange(text) == nil)
    }

    private func address(peer: String, _ headers: HTTPHeaders) -> ClientAddress {
        ClientAddress(
            peer: peer, headers: headers,
            trusted: ["127.0.0.0/8", "10.0.0.0/8"].compactMap(AddressRange.init))
    }

    @Test func onlyATrustedPeerSpeaksForOthers() {
        let headers: HTTPHeaders = [
            "x-forwarded-for": "6.6.6.6, 1.2.3.4:567", "x-forwarded-proto": "https",
        ]
        let direct = address(peer: "9.9.9.9", headers)
        #expect(direct.remote == "9.9.9.9")
        #expect(!direct.viaTrustedProxy && !direct.isSecure)
        let proxied = address(peer: "127.0.0.1", headers)
        #expect(proxied.remote == "1.2.3.4")
        #expect(proxied.viaTrustedProxy && proxied.isSecure)
        #expect(!address(peer: "127.0.0.1", [:]).viaTrustedProxy)
    }

    @Test func theLastUntrustedHopIsTheClient() {
        let chain = address(peer: "10.1.1.1", ["x-forwarded-for": "6.6.6.6, 1.2.3.4, 10.0.0.7"])
        #expect(chain.remote == "1.2.3.4")
        #expect(address(peer: "10.1.1.1", ["x-forwarded-for": "10.0.0.9"]).remote == "10.0.0.9")
        #expect(
            address(peer: "10.1.1.1", ["x-forwarded-for": "[2001:db8::1]:5"]).remote
                == "2001:db8::1")
    }

    private final class Timed: WheelTimed {
        var wheelDeadline: Int64?
        func deadlinePassed(now: Int64) -> Int64? { nil }
    }

    @Test func aWheelIsNeverEarlyAndAtMostATickLate() {
        for deadline in [1, 10, 95, 100, 2559, 2560, 2570, 9999, 123_456] as [Int64] {
            var wheel = TimerWheel(tick: 10, now: 5)
            let timed = Timed()
            wheel.add(timed, at: deadline)
            var now: Int64 = 5
            while wheel.advance(to: now).isEmpty { now += 10 }
            #expect(now >= deadline && now <= max(deadline, 5) + 20, "\(deadline) at \(now)")
            #expect(timed.wheelDeadline == nil)
        }
    }

    @Test func anEarlierDeadlineReplacesALaterOne() {
        var wheel = TimerWheel(tick: 10, now: 0)
        let timed = Timed()
        wheel.add(timed, at: 500)
        wheel.add(timed, at: 50)
        wheel.add(timed, at: 300)
        #expect(wheel.advance(to: 49).isEmpty)
        #expect(wheel.advance(to: 50).count == 1)
        #expect(wheel.advance(to: 1000).isEmpty)
    }

    @Test func whatHasEndedIsLetGoBeforeItsTime() {
        var wheel = TimerWheel(tick: 10, now: 0)
        for deadline in [3, 500, 2_550] as [Int64] {
            weak var ended: Timed?
            do {
                let timed = Timed()
                ended = timed
                wheel.add(timed, at: deadline)
                wheel.remove(timed)
                #expect(timed.wheelDeadline == nil)
            }
            #expect(ended == nil, "\(deadline)")
        }
        let timed = (0..<3).map { _ in Timed() }
        for timed in timed { wheel.add(timed, at: 500) }
        wheel.remove(timed[0])
        wheel.remove(timed[0])
        // Beyond a turn of the wheel it is let go later, and not told.
        let far = Timed()
        wheel.add(far, at: 9_999)
        wheel.remove(far)
        #expect(wheel.advance(to: 20_000).count == 2)
    }

    @Test func aWheelThatStoodStillCatchesUp() {
        var wheel = TimerWheel(tick: 10, now: 0)
        let timed = (0..<50).map { _ in Timed() }
        for (index, timed) in timed.enumerated() { wheel.add(timed, at: Int64(index) * 1000) }
        #expect(wheel.advance(to: 1_000_000).count == 50)
    }

    @Test func sessionIdsNeedNoEscapeAndDiffer() {
        let ids = Set((0..<1000).map { _ in SessionID.make(prefix: "") })
        #expect(ids.count == 1000)
        #expect(ids.allSatisfy { $0.wholeMatch(of: /[A-Za-z0-9_-]{20}/) != nil })
    }

    @Test func aHandshakeKeepsAllHeadersButThoseThatItsAnswerSpends() {
        let request = HandshakeRequest(
            method: .GET, path: "/", query: [],
            headers: [
                "Host": "a", "Sec-WebSocket-Key": "k", "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Extensions": "permessage-deflate", "X-A": "1", "x-a": "2",
            ], remoteAddress: "::1", peerAddress: "::1", isWebSocket: true)
        #expect(
            request.headers.map(\.name) == ["Host", "Sec-WebSocket-Extensions", "X-A", "x-a"])
        #expect(request.headers["x-a"] == ["1", "2"])
    }

    @Test func aHeaderValueCannotSplitTheHandshake() throws {
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/",
            headers: [
                "upgrade": "WebSocket", "connection": "Upgrade", "sec-websocket-version": "13",
                "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
            ])
        let upgrade = try #require(WebSocketUpgrade(head))
        let response = String(
            buffer: upgrade.response(headers: [("a", "1\r\nevil: 2"), ("b", "3")]))
        #expect(!response.contains("evil"))
        #expect(response.hasSuffix("b: 3\r\n\r\n"))
    }
}
