import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded

@testable import SocketIOServer

/// An Engine.IO session that records what is sent. It checks the rules of `EngineSession`: used
/// on its loop only, silent after its end.
final class FakeSession: EngineSession, Sendable {
    let id: String
    let eventLoop: any EventLoop
    let request: HandshakeRequest
    let transportName = "websocket"
    private let state: NIOLockedValueBox<State>

    private struct State {
        /// Text as it is, binaries as `<1,2>`.
        var sent: [String] = []
        var closed: EngineCloseReason?
        var bufferedBytes = 0
        var delegate: (any EngineSessionDelegate)?
    }

    init(_ eventLoop: any EventLoop, id: String = "engine", revision: String = "4") {
        self.id = id
        self.eventLoop = eventLoop
        request = HandshakeRequest(
            method: .GET, path: "/socket.io/", query: [("roomId", "a"), ("EIO", revision)],
            headers: [:],
            remoteAddress: "127.0.0.1", peerAddress: "127.0.0.1", isWebSocket: true)
        state = NIOLockedValueBox(State())
    }

    var sent: [String] { state.withLockedValue { $0.sent } }
    var closed: EngineCloseReason? { state.withLockedValue { $0.closed } }
    var isOpen: Bool { closed == nil }

    var isBackedUp: Bool { bufferedBytes > 256 * 1024 }
    var bufferedBytes: Int {
        get { state.withLockedValue { $0.bufferedBytes } }
        set { state.withLockedValue { $0.bufferedBytes = newValue } }
    }

    var delegate: (any EngineSessionDelegate)? {
        get { state.withLockedValue { $0.delegate } }
        set { state.withLockedValue { $0.delegate = newValue } }
    }

    /// What was sent since the last call.
    func takeSent() -> [String] {
        state.withLockedValue { state in
            defer { state.sent = [] }
            return state.sent
        }
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

    func receive(_ text: String) {
        delegate?.engineSession(self, received: Array(text.utf8)[...])
    }

    func receive(binary bytes: [UInt8]) {
        delegate?.engineSession(self, receivedBinary: bytes[...])
    }

    func discard(_ byteCount: Int, prefix: String) {
        delegate?.engineSession(
            self, discardedMessageOf: byteCount, prefix: Array(prefix.utf8)[...])
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

/// A Socket.IO server without a listener, on one embedded loop.
struct Bench {
    let loop = EmbeddedEventLoop()
    let namespaces: NamespaceTable

    init(_ limits: SocketLimits = SocketLimits()) {
        namespaces = NamespaceTable(loops: [loop], limits: limits) { _, loops, _ in
            LocalAdapter(loops: loops)
        }
    }

    var main: Namespace { namespaces.obtain("/") }

    func open(_ id: String = "engine", revision: String = "4") -> FakeSession {
        let session = FakeSession(loop, id: id, revision: revision)
        _ = SocketIOConnection(session, namespaces: namespaces, logger: Logger(label: "test"))
        return session
    }

    /// A session whose client is connected to `/`, and its socket.
    func connect(_ id: String = "engine", namespace: String = "/") -> (FakeSession, Socket) {
        let session = open(id)
        let found = Recorder<Socket>()
        namespaces.obtain(namespace).onConnection { socket in
            if socket.session === session { found.add(socket) }
        }
        session.receive(namespace == "/" ? "0" : "0\(namespace),")
        _ = session.takeSent()
        return (session, found.all[0])
    }
}

/// Collects values from handlers.
final class Recorder<Value: Sendable>: Sendable {
    private let values = NIOLockedValueBox<[Value]>([])

    var all: [Value] { values.withLockedValue { $0 } }

    func add(_ value: Value) { values.withLockedValue { $0.append(value) } }
}
