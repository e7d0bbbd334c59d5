import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import SocketIOServer

/// Two servers and a proxy without stickiness: requests of a session arrive at the other one.
@Suite(.timeLimit(.minutes(1))) struct ForwardingTests {
    private static let unknownSession = #"{"code":1,"message":"Session ID unknown"}"#

    /// A server `home` that has sessions, and a server `gate` where their requests arrive.
    private struct Pair {
        let home: TestServer
        let gate: TestServer
        let gateContext: NIOLockedValueBox<[SessionForwarding.FirstForward]>
    }

    private static func options(_ prefix: String) -> ServerOptions {
        var options = TestServer.options()
        options.sessionIDPrefix = prefix
        return options
    }

    /// What `gate` has to know to forward to `home`.
    private static func gateOptions(
        homePort: Int, firsts: NIOLockedValueBox<[SessionForwarding.FirstForward]>
    ) -> ServerOptions {
        var options = options("gate.")
        let target = ForwardTarget(name: "home", host: "127.0.0.1", port: homePort)
        var forwarding = SessionForwarding { sid in sid.hasPrefix("home.") ? target : nil }
        forwarding.onFirstForward = { first in firsts.withLockedValue { $0.append(first) } }
        options.forwarding = forwarding
        return options
    }

    private func run(
        gate change: (inout ServerOptions) -> Void = { _ in },
        home changeHome: (inout ServerOptions) -> Void = { _ in },
        _ body: (Pair) async throws -> Void
    ) async throws {
        var homeOptions = Self.options("home.")
        changeHome(&homeOptions)
        try await TestServer.run(homeOptions) { home in
            let firsts = NIOLockedValueBox<[SessionForwarding.FirstForward]>([])
            var options = Self.gateOptions(homePort: home.port, firsts: firsts)
            change(&options)
            try await TestServer.run(options) { gate in
                try await body(Pair(home: home, gate: gate, gateContext: firsts))
            }
        }
    }

    /// The counters of `gate` once they satisfy a condition; they are published with each tick.
    private func metrics(
        _ server: TestServer, until condition: (EngineMetrics) -> Bool
    ) async throws -> EngineMetrics {
        while !condition(server.server.metrics) { try await Task.sleep(for: .milliseconds(20)) }
        return server.server.metrics
    }

    private func webSocketTarget(_ target: String) -> String {
        target.replacingOccurrences(of: "transport=polling", with: "transport=websocket")
    }

    // MARK: Polls and posts

    @Test func pollsAndPostsReachTheInstanceThatHasTheSession() async throws {
        try await run { pair in
            let direct = try await pair.home.connect()
            let target = try await pair.home.openPolling(direct)
            for round in 0..<4 {
                let poster = try await pair.gate.connect()
                let poller = try await pair.gate.connect()
                let posted = try await poster.exchange("POST", target, body: "4é\(round)")
                #expect(posted.status == 200)
                #expect(posted.body == "ok")
                let answer = try await poller.exchange("GET", target)
                #expect(answer.body == "4é\(round)")
                #expect(answer.headers["content-type"] == "text/plain; charset=UTF-8")
                poster.close()
                poller.close()
            }
            for round in 0..<4 { #expect(await pair.home.nextSeen() == .text("é\(round)")) }
            let metrics = try await metrics(pair.gate) { $0.forwards == 8 }
            #expect(metrics.forwardFailures == 0)
            #expect(metrics.refusals == 0)
        }
    }

    @Test func aPollWaitsAtTheInstanceThatHasTheSession() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let session = try #require(await pair.home.nextSession())
            let poller = try await pair.gate.connect()
            poller.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            session.eventLoop.execute { session.send(.text("news".buffer)) }
            #expect(try await poller.readAnswer().body == "4news")
        }
    }

    @Test func connectionsBetweenInstancesAreUsedAgain() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let client = try await pair.gate.connect()
            for _ in 0..<20 {
                #expect(try await client.exchange("POST", target, body: "4x").body == "ok")
            }
            // The test's own, and one from the other instance.
            let metrics = try await metrics(pair.home) { $0.httpRequests == 21 }
            #expect(metrics.connections == 2)
        }
    }

    @Test func aMessageOfTheGreatestLengthIsForwarded() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let client = try await pair.gate.connect()
            let text = String(repeating: "x", count: 16 * 1024 * 1024)
            #expect(try await client.exchange("POST", target, body: "4\(text)").body == "ok")
            let answer = try await client.exchange("GET", target)
            #expect(answer.body.utf8.count == text.utf8.count + 1)
            #expect(answer.body.hasSuffix("xxx"))
        }
    }

    @Test func anAnswerCarriesTheCORSHeadersOnce() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let client = try await pair.gate.connect()
            let answer = try await client.exchange(
                "POST", target, headers: ["Origin": "http://a.example"], body: "4x")
            #expect(answer.headers["access-control-allow-origin"] == "http://a.example")
            #expect(answer.headers["vary"] == "Origin")
            #expect(answer.headers["content-length"] == "2")
        }
    }

    @Test func theFirstForwardIsToldOnce() async throws {
        try await run { pair in
            let client = try await pair.gate.connect()
            let unknown = "/socket.io/?EIO=4&transport=polling&sid=home.none"
            #expect(try await client.exchange("GET", unknown).body == Self.unknownSession)
            #expect(pair.gateContext.withLockedValue { $0 }.isEmpty)
            let target = try await pair.home.openPolling(try await pair.home.connect())
            for _ in 0..<3 { _ = try await client.exchange("POST", target, body: "4x") }
            let port = pair.home.port
            let firsts = pair.gateContext.withLockedValue { $0 }
            #expect(
                firsts == [
                    .init(
                        target: ForwardTarget(name: "home", host: "127.0.0.1", port: port),
                        peerAddress: "127.0.0.1")
                ])
        }
    }

    // MARK: WebSocket

    @Test func anUpgradeIsTunnelledWithNothingLost() async throws {
        try await run { pair in
            for round in 0..<4 {
                let poller = try await pair.gate.connect()
                let target = try await pair.home.openPolling(try await pair.home.connect())
                let session = try #require(await pair.home.nextSession())
                poller.request("GET", target)
                try await session.eventLoop.untilPolling(session)
                let socket = try await pair.gate.connect()
                // The probe comes in the segment of the request, or after its answer.
                let probe = RawClient.frame(1, Array("2probe".utf8))
                socket.upgrade(webSocketTarget(target), early: round > 1 ? probe : [])
                #expect(try await socket.readAnswer().status == 101)
                if round <= 1 { socket.send(probe) }
                #expect(try await socket.readFrame().text == "3probe")
                #expect(try await poller.readAnswer().body == "6")
                session.eventLoop.execute { session.send(.text("queued".buffer)) }
                socket.sendText("5")
                #expect(try await socket.readFrame().text == "4queued")
                let long = String(repeating: "y", count: 3_000_000)
                socket.sendText("4\(long)")
                #expect(try await socket.readFrame().text == "4\(long)")
                _ = try await metrics(pair.gate) { $0.openTunnels == 1 }
                socket.close()
                #expect(await pair.home.nextSeen() == .text(long))
                var last = await pair.home.nextSeen()
                while last == .writable { last = await pair.home.nextSeen() }
                #expect(last == .closed(.transportClose))
                _ = try await metrics(pair.gate) { $0.openTunnels == 0 }
            }
        }
    }

    @Test func theEndOfASessionReachesATunnelledClient() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let session = try #require(await pair.home.nextSession())
            let socket = try await pair.gate.connect()
            socket.upgrade(webSocketTarget(target))
            _ = try await socket.readAnswer()
            socket.sendText("2probe")
            _ = try await socket.readFrame()
            socket.sendText("5")
            socket.sendText("4x")
            #expect(try await socket.readFrame().text == "4x")
            session.eventLoop.execute { session.close(.serverShutdown()) }
            #expect(try await socket.readFrame().opcode == 8)
            await socket.readEnd()
        }
    }

    @Test func aTunnelThroughWhichNothingComesIsClosed() async throws {
        func hurry(_ options: inout ServerOptions) {
            options.pingInterval = .milliseconds(1_500)
            options.forwarding?.limits.answerMargin = .milliseconds(500)
        }
        try await run(gate: hurry) { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let socket = try await pair.gate.connect()
            socket.upgrade(webSocketTarget(target))
            #expect(try await socket.readAnswer().status == 101)
            await socket.readEnd()
            _ = try await metrics(pair.gate) { $0.openTunnels == 0 }
        }
    }

    @Test func aShutdownEndsTunnelsAndWaitingPolls() async throws {
        try await TestServer.run(Self.options("home.")) { home in
            let options = Self.gateOptions(homePort: home.port, firsts: .init([]))
            let gate = try await TestServer(options)
            let target = try await home.openPolling(try await home.connect())
            let socket = try await gate.connect()
            socket.upgrade(webSocketTarget(target))
            _ = try await socket.readAnswer()
            let poller = try await gate.connect()
            poller.request("GET", try await home.openPolling(try await home.connect()))
            try await gate.server.shutdown().get()
            await socket.readEnd()
            await poller.readEnd()
        }
    }

    @Test func aRefusedProbeIsRefusedToTheClient() async throws {
        try await run(home: { $0.allowUpgrades = false }) { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let socket = try await pair.gate.connect()
            socket.upgrade(webSocketTarget(target))
            #expect(try await socket.readAnswer().status == 400)
            let client = try await pair.gate.connect()
            #expect(try await client.exchange("POST", target, body: "4x").body == "ok")
        }
    }

    // MARK: No forward

    @Test func aForwardedRequestIsNotForwardedAgain() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let client = try await pair.gate.connect()
            let marked = [SessionForwarding.header: "1"]
            let answer = try await client.exchange("GET", target, headers: marked)
            #expect(answer.status == 400)
            #expect(answer.body == Self.unknownSession)
            // Nor does the mark harm where the session is.
            let direct = try await pair.home.connect()
            let posted = try await direct.exchange("POST", target, headers: marked, body: "4x")
            #expect(posted.body == "ok")
        }
    }

    @Test func anInstanceThatIsItsOwnHomeDoesNotAskItselfForEver() async throws {
        let target = NIOLockedValueBox<ForwardTarget?>(nil)
        var options = Self.options("gate.")
        options.forwarding = SessionForwarding { _ in target.withLockedValue { $0 } }
        try await TestServer.run(options) { gate in
            target.withLockedValue {
                $0 = ForwardTarget(name: "gate", host: "127.0.0.1", port: gate.port)
            }
            let client = try await gate.connect()
            let answer = try await client.exchange(
                "GET", "/socket.io/?EIO=4&transport=polling&sid=gate.x")
            #expect(answer.body == Self.unknownSession)
            #expect(try await metrics(gate) { $0.httpRequests >= 2 }.httpRequests == 2)
        }
    }

    @Test func aSessionOfNobodyIsUnknown() async throws {
        try await run { pair in
            let client = try await pair.gate.connect()
            for sid in ["gate.gone", "other.gone", "gone", ""] {
                let target = "/socket.io/?EIO=4&transport=polling&sid=\(sid)"
                #expect(try await client.exchange("GET", target).body == Self.unknownSession)
            }
            #expect(try await metrics(pair.gate) { $0.refusals == 4 }.forwardFailures == 0)
        }
    }

    /// A port on which nobody listens.
    private func deadPort() async throws -> Int {
        let server = try await TestServer()
        try await server.server.shutdown().get()
        return server.port
    }

    @Test func aDeadInstanceIsAnsweredForAtOnce() async throws {
        let port = try await deadPort()
        let options = Self.gateOptions(homePort: port, firsts: .init([]))
        try await TestServer.run(options) { gate in
            let target = "/socket.io/?EIO=4&transport=polling&sid=home.x"
            let client = try await gate.connect()
            #expect(try await client.exchange("GET", target).body == Self.unknownSession)
            #expect(
                try await client.exchange("POST", target, body: "4x").body == Self.unknownSession)
            let socket = try await gate.connect()
            socket.upgrade(webSocketTarget(target))
            #expect(try await socket.readAnswer().status == 400)
            #expect(try await metrics(gate) { $0.forwardFailures == 3 }.forwards == 0)
        }
    }

    /// Takes connections and what they say, and says nothing.
    private func silentServer() async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
    }

    @Test func anInstanceThatDoesNotAnswerInTimeIsGivenUp() async throws {
        let silent = try await silentServer()
        var options = Self.gateOptions(
            homePort: try #require(silent.localAddress?.port), firsts: .init([]))
        options.pingInterval = .milliseconds(100)
        options.forwarding?.limits.answerMargin = .milliseconds(100)
        try await TestServer.run(options) { gate in
            let client = try await gate.connect()
            let start = ContinuousClock.now
            let answer = try await client.exchange(
                "GET", "/socket.io/?EIO=4&transport=polling&sid=home.x")
            #expect(answer.body == Self.unknownSession)
            #expect(ContinuousClock.now - start >= .milliseconds(200))
        }
        try await silent.close()
    }

    @Test func anInstanceThatIsFoundDeadIsNotWaitedFor() async throws {
        let silent = try await silentServer()
        let port = try #require(silent.localAddress?.port)
        let asked = NIOLockedValueBox(0)
        var options = Self.gateOptions(homePort: port, firsts: .init([]))
        options.pingInterval = .seconds(600)
        options.forwarding?.home = { _ in
            let isFirst = asked.withLockedValue { asked in
                asked += 1
                return asked == 1
            }
            return isFirst ? ForwardTarget(name: "home", host: "127.0.0.1", port: port) : nil
        }
        try await TestServer.run(options) { gate in
            let client = try await gate.connect()
            let target = "/socket.io/?EIO=4&transport=polling&sid=home.x"
            #expect(try await client.exchange("GET", target).body == Self.unknownSession)
            #expect(asked.withLockedValue { $0 } == 2)
        }
        try await silent.close()
    }

    /// Says something to whoever speaks, and hangs up if it is told to.
    private final class Babbler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let text: String
        private let hangsUp: Bool

        init(_ text: String, hangsUp: Bool) {
            self.text = text
            self.hangsUp = hangsUp
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
            if hangsUp { context.close(promise: nil) }
        }
    }

    @Test(arguments: [
        ("SSH-2.0-x\r\n\r\n", false), ("", true),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", true),
    ])
    func whatIsNoWholeAnswerEndsTheForward(text: String, hangsUp: Bool) async throws {
        let babbling = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.addHandler(Babbler(text, hangsUp: hangsUp))
            }
            .bind(host: "127.0.0.1", port: 0).get()
        var options = Self.gateOptions(
            homePort: try #require(babbling.localAddress?.port), firsts: .init([]))
        options.pingInterval = .seconds(600)
        try await TestServer.run(options) { gate in
            let client = try await gate.connect()
            let target = "/socket.io/?EIO=4&transport=polling&sid=home.x"
            for _ in 0..<2 {
                #expect(try await client.exchange("GET", target).body == Self.unknownSession)
            }
        }
        try await babbling.close()
    }

    // MARK: Leaving and limits

    @Test func aClientThatLeavesEndsItsPollAtTheOtherInstance() async throws {
        try await run { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let session = try #require(await pair.home.nextSession())
            let poller = try await pair.gate.connect()
            poller.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            poller.close()
            #expect(await pair.home.nextSeen() == .closed(.transportError))
        }
    }

    @Test func forwardsBeyondTheLimitAreRefused() async throws {
        try await run(gate: { $0.forwarding?.limits.maxForwards = 1 }) { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let session = try #require(await pair.home.nextSession())
            let poller = try await pair.gate.connect()
            poller.request("GET", target)
            try await session.eventLoop.untilPolling(session)
            let poster = try await pair.gate.connect()
            let refused = try await poster.exchange("POST", target, body: "4x")
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "1")
            session.eventLoop.execute { session.send(.text("over".buffer)) }
            #expect(try await poller.readAnswer().body == "4over")
            #expect(try await poster.exchange("POST", target, body: "4x").status == 200)
        }
    }

    @Test func bytesBeyondTheLimitAreRefused() async throws {
        func limit(_ options: inout ServerOptions) {
            options.forwarding?.limits.maxBytes = 1_000
            options.forwarding?.limits.uncountedBytes = 500
        }
        try await run(gate: limit) { pair in
            let target = try await pair.home.openPolling(try await pair.home.connect())
            let session = try #require(await pair.home.nextSession())
            let long = String(repeating: "z", count: 2_000)
            let poster = try await pair.gate.connect()
            #expect(try await poster.exchange("POST", target, body: "4\(long)").status == 503)
            session.eventLoop.execute { session.send(.text(long.buffer)) }
            let poller = try await pair.gate.connect()
            #expect(try await poller.exchange("GET", target).status == 503)
            // All that was held has been let go.
            let client = try await pair.gate.connect()
            let short = String(repeating: "s", count: 1_400)
            for _ in 0..<3 {
                #expect(try await client.exchange("POST", target, body: "4\(short)").status == 200)
            }
            // Each loop publishes on a tick of its own.
            let all = try await metrics(pair.gate) { $0.forwards == 3 && $0.forwardFailures == 2 }
            #expect(all.forwards == 3 && all.forwardFailures == 2)
        }
    }
}
