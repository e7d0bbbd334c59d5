import Foundation
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import SocketIOServer

@Suite struct LateTickTests {
    /// Sends a GET through the handler and returns status and body of the answer.
    private func get(_ target: String, _ channel: EmbeddedChannel) throws -> (UInt, String) {
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target)
        try channel.writeInbound(HTTPServerRequestPart.head(head))
        try channel.writeInbound(HTTPServerRequestPart.end(nil))
        channel.embeddedEventLoop.run()
        var (status, body): (UInt, String) = (0, "")
        while let part = try channel.readOutbound(as: HTTPServerResponsePart.self) {
            switch part {
            case .head(let head): status = head.status.code
            case .body(.byteBuffer(let bytes)): body += String(buffer: bytes)
            case .body, .end: break
            }
        }
        return (status, body)
    }

    /// The loop here never ticks by itself; the clock is the real one, so that time must pass.
    @Test func whatIsOverdueIsDoneBeforeARequestIsJudged() throws {
        var options = ServerOptions()
        options.pingInterval = .milliseconds(10)
        options.pongPatience = .milliseconds(10)
        let embedded = EmbeddedEventLoop()
        let engine = EngineContext(
            options: options, group: embedded, logger: Logger(label: "test"),
            mounts: [EngineMount(path: "/e") { _ in }])
        let loop = try #require(engine.loop(of: embedded))
        let channel = EmbeddedChannel(
            handler: HTTPHandler(engine: engine, loop: loop), loop: embedded)
        let (status, opened) = try get("/e?EIO=4&transport=polling", channel)
        #expect(status == 200)
        let target = "/e?EIO=4&transport=polling&sid=\(opened.components(separatedBy: "\"")[3])"
        usleep(40_000)
        #expect(try get(target, channel) == (200, "2"))
        usleep(40_000)
        let (gone, refusal) = try get(target, channel)
        #expect(gone == 400)
        #expect(refusal == #"{"code":1,"message":"Session ID unknown"}"#)
        _ = try channel.finish()
    }
}
