import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

@testable import SocketIOServer

/// What a delegate has seen, in order.
enum Seen: Equatable {
    case text(String)
    case binary([UInt8])
    case writable
    case discarded(Int, String)
    case closed(EngineCloseReason)
}

/// Sends back what it receives and tells the test of everything.
final class EchoDelegate: EngineSessionDelegate {
    private let seen: AsyncStream<Seen>.Continuation
    private let echoes: Bool

    init(_ seen: AsyncStream<Seen>.Continuation, echoes: Bool) {
        self.seen = seen
        self.echoes = echoes
    }

    func engineSession(_ session: any EngineSession, received text: ArraySlice<UInt8>) {
        seen.yield(.text(String(decoding: text, as: UTF8.self)))
        if echoes { session.send(.text(ByteBuffer(bytes: text))) }
    }

    func engineSession(_ session: any EngineSession, receivedBinary bytes: ArraySlice<UInt8>) {
        seen.yield(.binary(Array(bytes)))
        if echoes { session.send(.binary(ByteBuffer(bytes: bytes))) }
    }

    func engineSessionBecameWritable(_ session: any EngineSession) {
        seen.yield(.writable)
    }

    func engineSession(
        _ session: any EngineSession, discardedMessageOf byteCount: Int,
        prefix: ArraySlice<UInt8>
    ) {
        seen.yield(.discarded(byteCount, String(decoding: prefix, as: UTF8.self)))
    }

    func engineSession(_ session: any EngineSession, closed reason: EngineCloseReason) {
        seen.yield(.closed(reason))
    }
}

/// A running server with an echo behind it.
final class TestServer {
    let server: EngineServer
    let port: Int
    private var sessions: AsyncStream<any EngineSession>.AsyncIterator
    private var seen: AsyncStream<Seen>.AsyncIterator

    static func options() -> ServerOptions {
        var options = ServerOptions()
        options.host = "127.0.0.1"
        options.port = 0
        options.limits.closeTimeout = .milliseconds(500)
        return options
    }

    init(_ options: ServerOptions = TestServer.options(), echoes: Bool = true) async throws {
        let (sessions, sessionYield) = AsyncStream<any EngineSession>.makeStream()
        let (seen, seenYield) = AsyncStream<Seen>.makeStream()
        self.sessions = sessions.makeAsyncIterator()
        self.seen = seen.makeAsyncIterator()
        server = EngineServer(
            options: options, group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test")
        ) { session in
            session.delegate = EchoDelegate(seenYield, echoes: echoes)
            sessionYield.yield(session)
        }
        port = try await server.start().get().port ?? 0
    }

    func nextSession() async -> (any EngineSession)? { await sessions.next() }
    func nextSeen() async -> Seen? { await seen.next() }

    func connect(receiveBuffer: Int? = nil) async throws -> RawClient {
        try await RawClient(port: port, receiveBuffer: receiveBuffer)
    }

    /// An open WebSocket session, its open packet read.
    func openWebSocket(_ query: String = "EIO=4") async throws -> RawClient {
        let client = try await connect()
        client.upgrade("/socket.io/?\(query)&transport=websocket")
        _ = try await client.readAnswer()
        _ = try await client.readFrame()
        return client
    }

    /// The target of a polling session that is open.
    func openPolling(_ client: RawClient, _ query: String = "EIO=4") async throws -> String {
        let target = "/socket.io/?\(query)&transport=polling"
        let sid = try await client.exchange("GET", target).body.components(separatedBy: "\"")[3]
        return "\(target)&sid=\(sid)"
    }

    /// Runs a test on a server and shuts it down whatever happens.
    static func run(
        _ options: ServerOptions = TestServer.options(), echoes: Bool = true,
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let server = try await TestServer(options, echoes: echoes)
        do {
            try await body(server)
        } catch {
            try? await server.server.shutdown().get()
            throw error
        }
        try await server.server.shutdown().get()
    }
}
