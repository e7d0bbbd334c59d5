import Cluster
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import RoomService

/// Probes of a small real server on this machine.
@Suite struct PeerProbeTests {
    /// Answers every request with one body; or with nothing.
    private final class Responder: ChannelInboundHandler, Sendable {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        let body: String?

        init(_ body: String?) { self.body = body }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .head(let head) = unwrapInboundIn(data) else { return }
            guard let body, head.uri == PeerProbe.path else { return }
            let buffer = context.channel.allocator.buffer(string: body)
            let headers: HTTPHeaders = ["content-length": "\(buffer.readableBytes)"]
            let response = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(response)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private func listen(_ body: String?, closes: Bool = false) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                if closes { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(Responder(body))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private func node(_ upstream: String) throws -> ClusterNode {
        try ClusterNodes(parsing: "peer=\(upstream)=http://peer").nodes[0]
    }

    private func ask(_ upstream: String) async throws -> ProbeResult {
        let probe = PeerProbe(eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        return try await probe.ask(try node(upstream)).get()
    }

    private func ask(_ channel: any Channel) async throws -> ProbeResult {
        let port = try #require(channel.localAddress?.port)
        let result = try await ask("127.0.0.1:\(port)")
        try await channel.close()
        return result
    }

    @Test func aLivingInstanceTellsWhoAndHowItIs() async throws {
        let server = try await listen(
            """
            {"incarnation":"server-2#00000000000000aa","ready":true,"draining":true,"linked":true}
            """)
        #expect(
            try await ask(server)
                == .alive(
                    incarnation: Incarnation(instanceID: "server-2", nonce: 0xaa), isReady: true,
                    isDraining: true, isLinked: true))
    }

    @Test func whatItDoesNotTellIsNo() async throws {
        let server = try await listen(#"{"ready":false}"#)
        #expect(
            try await ask(server)
                == .alive(incarnation: nil, isReady: false, isDraining: false, isLinked: false))
    }

    @Test(arguments: ["", "no JSON", "{}", #"{"ready":"yes"}"#, "[true]"])
    func anAnswerThatMakesNoSenseIsSilence(body: String) async throws {
        #expect(try await ask(try await listen(body)) == .silent)
    }

    @Test func anAnswerOfAnySizeIsNotReadToItsEnd() async throws {
        let body = #"{"ready":true,"filler":"\#(String(repeating: "x", count: 100_000))"}"#
        #expect(try await ask(try await listen(body)) == .silent)
    }

    @Test func whoSaysNothingIsSilentAfterASecond() async throws {
        let server = try await listen(nil)
        let start = ContinuousClock.now
        #expect(try await ask(server) == .silent)
        #expect(ContinuousClock.now - start >= .milliseconds(900))
    }

    @Test func whoHangsUpIsSilent() async throws {
        #expect(try await ask(try await listen(nil, closes: true)) == .silent)
    }

    @Test func aPortWhereNobodyListensRefuses() async throws {
        let server = try await listen("")
        let port = try #require(server.localAddress?.port)
        try await server.close()
        #expect(try await ask("127.0.0.1:\(port)") == .refused)
    }
}
