import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import SocketIOServer

extension FuzzTarget {
    /// Bytes of two connections, through the pipeline of the server: HTTP parser, requests, long
    /// polling, upgrades, frames.
    ///
    /// Two bytes 0xFF begin a change of connection; the byte behind them is its number and, with
    /// the high bit, that the connection before is closed by the client. `@sid` in a piece becomes
    /// the id of the session that opened last.
    static let http = FuzzTarget(name: "http", maxBytes: 16 << 10) { input in
        let bench = try HTTPBench(seed: input.first ?? 0)
        var connection = 0
        var rest = input.dropFirst()
        while !rest.isEmpty {
            let end = rest.firstRange(of: [0xFF, 0xFF])?.lowerBound ?? rest.endIndex
            try bench.send(rest[..<end], on: connection)
            rest = rest[end...].dropFirst(2)
            guard let next = rest.popFirst() else { break }
            if next & 0x80 != 0 { try bench.close(connection) }
            connection = Int(next & 1)
        }
        try bench.end()
    }
}

/// A server without a socket.
private final class HTTPBench {
    private let loop = EmbeddedEventLoop()
    private let context: EngineContext
    private let echo: Echo
    private var channels: [EmbeddedChannel?] = [nil, nil]
    private var answers: [[UInt8]] = [[], []]
    private let seed: UInt8

    /// Sends every message back. Unchecked: everything happens on the thread of the fuzzer.
    final class Echo: EngineSessionDelegate, @unchecked Sendable {
        var lastID = ""
        var open = 0

        func engineSession(_ session: any EngineSession, received text: ArraySlice<UInt8>) {
            session.send(.text(ByteBuffer(bytes: text)))
            if text.starts(with: "close".utf8) { session.close(.forcedClose) }
        }

        func engineSession(
            _ session: any EngineSession, receivedBinary bytes: ArraySlice<UInt8>
        ) {
            session.send(.binary(ByteBuffer(bytes: bytes)))
        }

        func engineSession(_ session: any EngineSession, closed reason: EngineCloseReason) {
            open -= 1
        }
    }

    init(seed: UInt8) throws {
        self.seed = seed
        var options = ServerOptions()
        options.limits.maxPayloadBytes = 4_096
        options.limits.maxSkippedMessageBytes = 8_192
        options.limits.maxPlainBodyBytes = 2_048
        options.limits.maxHeaderBytes = 2_048
        options.limits.maxPipelinedRequests = 4
        options.limits.maxBufferedBytesPerSession = 8_192
        options.limits.maxConnectionsPerAddress = 4
        options.allowsRevision3 = true
        options.allowsOrigin = { $0 != "http://evil" }
        options.admission = { request in
            request.queryItem("refuse") == nil
                ? .accept
                : .refuse(.init(status: .forbidden, code: 4, message: "Forbidden"))
        }
        options.handshakeHeaders = { [("set-cookie", $0.queryItem("cookie") ?? "a=b")] }
        let echo = Echo()
        self.echo = echo
        let mount = EngineMount(path: "/socket.io") { session in
            echo.lastID = session.id
            echo.open += 1
            session.delegate = echo
        }
        context = EngineContext(
            options: options, group: loop,
            logger: Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }, mounts: [mount])
    }

    private func channel(_ number: Int) throws -> EmbeddedChannel {
        if let channel = channels[number] { return channel }
        let channel = EmbeddedChannel(loop: loop)
        channel.remoteAddress = try SocketAddress(ipAddress: "127.0.0.1", port: 4_000)
        try EngineServer.initialize(channel, context)
        channel.pipeline.fireChannelActive()
        channels[number] = channel
        return channel
    }

    func send(_ bytes: ArraySlice<UInt8>, on number: Int) throws {
        var rest = bytes
        // The id of a session is known only when the bytes before it have been read.
        while let mark = rest.firstRange(of: "@sid".utf8) {
            try write(rest[..<mark.lowerBound], on: number)
            try write(Array(echo.lastID.utf8)[...], on: number)
            rest = rest[mark.upperBound...]
        }
        try write(rest, on: number)
    }

    private func write(_ bytes: ArraySlice<UInt8>, on number: Int) throws {
        let channel = try channel(number)
        for piece in RandomSplit(bytes, seed: seed | 1) {
            _ = try? channel.writeInbound(ByteBuffer(bytes: piece))
            loop.run()
            while let answer = try? channel.readOutbound(as: ByteBuffer.self) {
                answers[number] += answer.readableBytesView
            }
        }
    }

    func close(_ number: Int) throws {
        guard let channel = channels[number] else { return }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        loop.run()
        channels[number] = nil
        let answer = answers[number]
        answers[number] = []
        try require(
            answer.isEmpty || answer.starts(with: "HTTP/1.1 ".utf8), "an answer that is not HTTP")
    }

    /// Nothing is left of connections that are closed, but polling sessions, which time would end.
    func end() throws {
        try close(0)
        try close(1)
        let metrics = context.loops.reduce(into: EngineMetrics()) { $0 += $1.metrics }
        try require(metrics.openConnections == 0, "\(metrics.openConnections) connections left")
        try require(
            context.connectionCount.load(ordering: .relaxed) == 0, "connections counted wrongly")
        for session in context.registry.sessions {
            try require(session.transportName == "polling", "a WebSocket session outlives it")
            session.close(.forcedClose)
        }
        loop.run()
        try require(echo.open == 0, "\(echo.open) sessions never heard that they are over")
    }
}
