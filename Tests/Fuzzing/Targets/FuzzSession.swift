import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1

@testable import SocketIOServer

/// The transport of a browser in the fuzzer's hands: keeps what the server sends.
final class FuzzSession: EngineSession, Sendable {
    let id: String
    let eventLoop: any EventLoop
    let request: HandshakeRequest
    let transportName = "websocket"
    let bufferedBytes = 0
    let isBackedUp = false
    private let state = NIOLockedValueBox(State())

    private struct State {
        var sent: [EngineMessage] = []
        var isOpen = true
        var delegate: (any EngineSessionDelegate)?
    }

    init(_ eventLoop: any EventLoop, id: String, cookie: String) {
        self.eventLoop = eventLoop
        self.id = id
        request = HandshakeRequest(
            method: .GET, path: "/socket.io/", query: [],
            headers: ["cookie": "tandem_resume=\(cookie)"], remoteAddress: "10.0.0.1",
            peerAddress: "10.0.0.1", isWebSocket: true)
    }

    var isOpen: Bool { state.withLockedValue { $0.isOpen } }

    var delegate: (any EngineSessionDelegate)? {
        get { state.withLockedValue { $0.delegate } }
        set { state.withLockedValue { $0.delegate = newValue } }
    }

    func takeSent() -> [EngineMessage] {
        state.withLockedValue { state in
            defer { state.sent = [] }
            return state.sent
        }
    }

    func send(_ message: EngineMessage) {
        eventLoop.preconditionInEventLoop()
        state.withLockedValue { if $0.isOpen { $0.sent.append(message) } }
    }

    func send(_ broadcast: PreparedMessage) {
        send(.text(broadcast.text))
        for attachment in broadcast.attachments { send(.binary(attachment)) }
    }

    func afterRoundTrip(_ body: @escaping @Sendable () -> Void) { body() }

    func close(_ reason: EngineCloseReason) {
        eventLoop.preconditionInEventLoop()
        let delegate = state.withLockedValue { state in
            state.isOpen = false
            defer { state.delegate = nil }
            return state.delegate
        }
        delegate?.engineSession(self, closed: reason)
    }
}
