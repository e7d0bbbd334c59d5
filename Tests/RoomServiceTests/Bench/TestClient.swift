import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import TestKit

@testable import SocketIOServer

/// The transport of a test's client: keeps what the server sends.
final class TestSession: EngineSession, Sendable {
    let id = "engine"
    let eventLoop: any EventLoop
    let request: HandshakeRequest
    let transportName = "websocket"
    private let state = NIOLockedValueBox(State())

    private struct State {
        var sent: [String] = []
        var closed: EngineCloseReason?
        var isBackedUp = false
        var delegate: (any EngineSessionDelegate)?
        var answersPings = true
        var unanswered: [@Sendable () -> Void] = []
    }

    init(
        _ eventLoop: any EventLoop, address: String, cookie: String?,
        query: [(name: String, value: String)] = []
    ) {
        self.eventLoop = eventLoop
        var headers = HTTPHeaders()
        if let cookie { headers.add(name: "cookie", value: "tandem_resume=\(cookie)") }
        request = HandshakeRequest(
            method: .GET, path: "/socket.io/", query: query, headers: headers,
            remoteAddress: address, peerAddress: address, isWebSocket: true)
    }

    /// The request of a client that says what it is.
    static func request(
        agent: String?, extensions: String?, recovery: String?
    ) -> HandshakeRequest {
        var headers = HTTPHeaders()
        if let agent { headers.add(name: "user-agent", value: agent) }
        if let extensions { headers.add(name: "sec-websocket-extensions", value: extensions) }
        return HandshakeRequest(
            method: .GET, path: "/socket.io/", query: recovery.map { [("recovery", $0)] } ?? [],
            headers: headers, remoteAddress: "10.0.0.1", peerAddress: "10.0.0.1",
            isWebSocket: true)
    }

    var closed: EngineCloseReason? { state.withLockedValue { $0.closed } }
    var isOpen: Bool { closed == nil }
    var bufferedBytes: Int { isBackedUp ? 1 << 20 : 0 }
    var isBackedUp: Bool { state.withLockedValue { $0.isBackedUp } }

    func setBackedUp(_ value: Bool) {
        let delegate = state.withLockedValue { state in
            state.isBackedUp = value
            return state.delegate
        }
        if value {
            delegate?.engineSessionBackedUp(self)
        } else {
            delegate?.engineSessionBecameWritable(self)
        }
    }

    var delegate: (any EngineSessionDelegate)? {
        get { state.withLockedValue { $0.delegate } }
        set { state.withLockedValue { $0.delegate = newValue } }
    }

    func takeSent() -> [String] {
        state.withLockedValue { state in
            defer { state.sent = [] }
            return state.sent
        }
    }

    func send(_ message: EngineMessage) {
        if case .text(let buffer) = message { record(String(buffer: buffer)) }
    }

    func send(_ broadcast: PreparedMessage) { record(String(buffer: broadcast.text)) }

    /// Whether the client has what was sent as soon as it was sent. Set to true, it has all of it.
    func setAnswersPings(_ value: Bool) {
        let bodies = state.withLockedValue { state in
            state.answersPings = value
            defer { if value { state.unanswered = [] } }
            return value ? state.unanswered : []
        }
        for body in bodies { body() }
    }

    func afterRoundTrip(_ body: @escaping @Sendable () -> Void) {
        let isAnswered = state.withLockedValue { state in
            if !state.answersPings { state.unanswered.append(body) }
            return state.answersPings
        }
        if isAnswered { body() }
    }

    private func record(_ text: String) {
        eventLoop.preconditionInEventLoop()
        state.withLockedValue { if $0.closed == nil { $0.sent.append(text) } }
    }

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
}

/// A browser, as the server sees it.
final class TestClient {
    /// An event from the server, or an answer to an ack callback, then named `ack 7`.
    struct Message: CustomStringConvertible {
        let name: String
        let payload: JSONText
        /// What came behind the payload.
        var offset: String?

        var description: String { "\(name) \(payload.text)" }
    }

    let session: TestSession
    let loop: ManualLoop
    private(set) var id = ""
    /// What a stock client keeps to come back with.
    private(set) var pid: String?
    private(set) var offset: String?
    /// As a stock client has it.
    private(set) var isRecovered = false
    private var unread: [Message] = []
    private var nextAck = 0

    init(_ session: TestSession, on loop: ManualLoop, after earlier: TestClient? = nil) {
        self.session = session
        pid = earlier?.pid
        offset = earlier?.offset
        self.loop = loop
    }

    var isConnected: Bool { session.isOpen }

    /// Sends an event. The server has not looked at it further than its loop's present turn.
    func emit(_ event: ClientEventName, _ payload: String? = nil) {
        send("2[\"\(event)\"\(payload.map { ",\($0)" } ?? "")]")
    }

    /// As `emit`, with an ack callback; the answer is then a message of the name given back.
    func call(_ event: ClientEventName, _ payload: String? = nil) -> String {
        nextAck += 1
        send("2\(nextAck)[\"\(event)\"\(payload.map { ",\($0)" } ?? "")]")
        return "ack \(nextAck)"
    }

    typealias ClientEventName = String

    func send(_ packet: String) {
        loop.perform { session.delegate?.engineSession(session, received: Array(packet.utf8)[...]) }
    }

    func discard(_ byteCount: Int, prefix: String) {
        loop.perform {
            session.delegate?.engineSession(
                session, discardedMessageOf: byteCount, prefix: Array(prefix.utf8)[...])
        }
    }

    /// The client reads too slowly, or has caught up. What the server sends meanwhile is kept
    /// as ever.
    func setBackedUp(_ value: Bool) {
        loop.perform { session.setBackedUp(value) }
    }

    /// The connection breaks.
    func vanish() {
        loop.perform { session.close(.transportClose) }
    }

    // MARK: What came

    /// Everything since the last call.
    func take() -> [Message] {
        read()
        defer { unread = [] }
        return unread
    }

    /// Names of everything since the last call.
    func takeNames() -> [String] { take().map(\.name) }

    /// The first message of that name; it and all before it are read.
    func next(_ name: String) -> JSONText? {
        read()
        guard let index = unread.firstIndex(where: { $0.name == name }) else { return nil }
        defer { unread.removeFirst(index + 1) }
        return unread[index].payload
    }

    func skip() { _ = take() }

    private func read() {
        for text in session.takeSent() {
            let bytes = Array(text.utf8)
            guard let start = bytes.firstIndex(where: { $0 == 0x5b || $0 == 0x7b }) else {
                continue
            }
            let body = JSONText(unchecked: bytes[start...])
            let elements = body.elements
            switch bytes.first {
            case UInt8(ascii: "0"):
                id = body["sid"]?.string ?? ""
                let given = body["pid"]?.string
                isRecovered = given != nil && given == pid
                pid = given
            case UInt8(ascii: "2"):
                let last = elements.last?.string
                if pid != nil, let last { offset = last }
                unread.append(
                    Message(
                        name: elements[0].string ?? "",
                        payload: elements.count > 1 ? elements[1] : .null,
                        offset: elements.count > 2 ? last : nil))
            case UInt8(ascii: "3"):
                let number = String(decoding: bytes[1..<start], as: UTF8.self)
                unread.append(Message(name: "ack \(number)", payload: elements[0]))
            default:
                unread.append(Message(name: "packet", payload: body))
            }
        }
    }

    /// Reads the answer to CONNECT.
    func readConnected() { read() }
}
