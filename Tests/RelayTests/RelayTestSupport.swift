import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Redis
import TestKit
import Testing

@testable import Relay
@testable import SocketIOServer

/// An Engine.IO session without a transport, which records what is sent.
final class FakeSession: EngineSession, Sendable {
    let id = "engine"
    let eventLoop: any EventLoop
    let request = HandshakeRequest(
        method: .GET, path: "/socket.io/", query: [("roomId", "a")],
        headers: ["Cookie": "resume=secret", "X-Page": "1"], remoteAddress: "127.0.0.1",
        peerAddress: "127.0.0.1", isWebSocket: true)
    let transportName = "websocket"
    private let state = NIOLockedValueBox(State())

    private struct State {
        /// Text as it is, binaries as `<1,2>`.
        var sent: [String] = []
        var closed: EngineCloseReason?
        var bufferedBytes = 0
        var delegate: (any EngineSessionDelegate)?
    }

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    var sent: [String] { state.withLockedValue { $0.sent } }
    var closed: EngineCloseReason? { state.withLockedValue { $0.closed } }
    var isOpen: Bool { closed == nil }

    var isBackedUp: Bool { false }
    var bufferedBytes: Int {
        get { state.withLockedValue { $0.bufferedBytes } }
        set { state.withLockedValue { $0.bufferedBytes = newValue } }
    }

    var delegate: (any EngineSessionDelegate)? {
        get { state.withLockedValue { $0.delegate } }
        set { state.withLockedValue { $0.delegate = newValue } }
    }

    func send(_ message: EngineMessage) {
        switch message {
        case .text(let buffer): record([String(buffer: buffer)])
        case .binary(let buffer): record([Self.spell(buffer)])
        }
    }

    func send(_ broadcast: PreparedMessage) {
        record([String(buffer: broadcast.text)] + broadcast.attachments.map(Self.spell))
    }

    func afterRoundTrip(_ body: @escaping @Sendable () -> Void) { body() }

    func close(_ reason: EngineCloseReason) {
        eventLoop.preconditionInEventLoop()
        let delegate = state.withLockedValue { state -> (any EngineSessionDelegate)? in
            guard state.closed == nil else { return nil }
            state.closed = reason
            defer { state.delegate = nil }
            return state.delegate
        }
        delegate?.engineSession(self, closed: reason)
    }

    /// From any thread.
    func receive(_ text: String) {
        eventLoop.execute {
            self.delegate?.engineSession(self, received: Array(text.utf8)[...])
        }
    }

    private func record(_ messages: [String]) {
        eventLoop.preconditionInEventLoop()
        state.withLockedValue { state in
            if state.closed == nil { state.sent += messages }
        }
    }

    private static func spell(_ buffer: ByteBuffer) -> String {
        "<" + buffer.readableBytesView.map(String.init).joined(separator: ",") + ">"
    }
}

/// A connected client of one server.
struct Client: Sendable {
    let session: FakeSession
    let socket: Socket

    var sent: [String] { session.sent }

    func join(_ rooms: String...) async throws {
        try await socket.eventLoop.submit { rooms.forEach(socket.join) }.get()
    }

    func close() async throws {
        try await socket.eventLoop.submit { session.close(.transportClose) }.get()
    }
}

/// A Socket.IO server without a listener, on two loops, with a relay.
struct Server: Sendable {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let redis: RedisClient
    let relay: RelayService
    let namespaces: NamespaceTable

    init(redisPort: Int, _ options: RelayOptions) throws {
        redis = try RedisClient(
            configuration: RedisConfiguration(port: redisPort), eventLoop: group.next())
        relay = RelayService(client: redis, options: options)
        let loops = group.makeIterator().map { $0 as any EventLoop }
        namespaces = NamespaceTable(
            loops: loops, limits: SocketLimits(), adapter: relay.adapter)
    }

    var main: Namespace { namespaces.obtain("/") }
    var adapter: RelayAdapter {
        get throws { try #require(relay["/"]) }
    }

    func connect() async throws -> Client {
        let loop = group.next()
        let session = FakeSession(loop)
        let socket = NIOLockedValueBox<Socket?>(nil)
        let namespace = main
        namespace.onConnection { found in
            if found.session === session { socket.withLockedValue { $0 = found } }
        }
        let namespaces = namespaces
        try await loop.submit {
            _ = SocketIOConnection(
                session, namespaces: namespaces, logger: Logger(label: "test"))
            session.delegate?.engineSession(session, received: Array("0".utf8)[...])
        }.get()
        return Client(
            session: session, socket: try #require(socket.withLockedValue { $0 }))
    }

    func isReady() async throws {
        try await eventually("connected to Redis") { redis.status.state.isReady }
    }

    func stop() async throws {
        relay.stop()
        try await redis.close().get()
        try await group.shutdownGracefully()
    }
}

/// Publishes and hears raw bytes, as a program of another kind would.
struct Outsider: Sendable {
    let client: RedisClient
    private let heard = NIOLockedValueBox<[RedisMessage]>([])

    init(redisPort: Int) async throws {
        client = try RedisClient(
            configuration: RedisConfiguration(port: redisPort),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        client.start()
        let client = client
        try await eventually("connected to Redis") { client.status.state.isReady }
    }

    func publish(_ bytes: [UInt8], on channel: String) async throws {
        _ = try await client.send(["PUBLISH", RESPArgument(channel), RESPArgument(bytes)]).get()
    }

    func publish(_ text: String, on channel: String) async throws {
        try await publish(Array(text.utf8), on: channel)
    }

    /// As `publish`, not waiting for anything: what is posted in a row arrives in one read.
    func post(_ bytes: [UInt8], on channel: String) {
        _ = client.send(["PUBLISH", RESPArgument(channel), RESPArgument(bytes)])
    }

    func emit(_ event: String, to rooms: [String] = [], channel: String) async throws {
        try await publish(Self.emitter(event, to: rooms), on: channel)
    }

    /// A broadcast in the words of the official emitter.
    static func emitter(_ event: String, to rooms: [String]) -> [UInt8] {
        let strings = rooms.map { MessagePackValue.string($0) }
        return MessagePackValue.array([
            .string("emitter"),
            .map([
                .init("type", .int(2)), .init("data", .array([.string(event)])),
                .init("nsp", .string("/")),
            ]),
            .map([
                .init("rooms", .array(strings)), .init("flags", .map([])),
                .init("except", .array([])),
            ]),
        ]).encoded
    }

    func hear(_ pattern: String) async throws {
        let heard = heard
        try await client.psubscribe(pattern) { message in
            heard.withLockedValue { $0.append(message) }
        }.get()
    }

    var messages: [RedisMessage] { heard.withLockedValue { $0 } }

    func close() async throws { try await client.close().get() }
}

/// A real Redis, servers with the same options, and an outsider; all ended however `body` ends.
func withServers(
    _ count: Int, publishes: Bool = true,
    _ configure: (inout RelayOptions) -> Void = { _ in },
    _ body: ([Server], Outsider, RedisServerProcess) async throws -> Void
) async throws {
    let redis = try RedisServerProcess()
    var options = RelayOptions()
    options.publishes = publishes
    configure(&options)
    let servers = try (0..<count).map { _ in try Server(redisPort: redis.port, options) }
    let outsider = try await Outsider(redisPort: redis.port)
    var failure: (any Error)?
    do {
        for server in servers {
            server.redis.start()
            try await server.isReady()
        }
        try await body(servers, outsider, redis)
    } catch {
        failure = error
    }
    try await outsider.close()
    for server in servers { try await server.stop() }
    if let failure { throw failure }
}

struct TimedOut: Error, CustomStringConvertible {
    let description: String
}

/// Waits until `condition` holds.
func eventually(
    _ what: String, within limit: Duration = .seconds(10), _ condition: () throws -> Bool
) async throws {
    let start = ContinuousClock.now
    while ContinuousClock.now - start < limit {
        if try condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    throw TimedOut(description: "not within \(limit): \(what)")
}

/// Waits until each client has been sent just these messages since it connected.
func expectSent(
    _ expected: [String], by clients: Client..., location: SourceLocation = #_sourceLocation
) async throws {
    for client in clients {
        try? await eventually("sent") { client.sent.count > expected.count }
        #expect(Array(client.sent.dropFirst()) == expected, sourceLocation: location)
    }
}
