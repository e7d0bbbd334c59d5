import NIOCore
import NIOHTTP1
import SocketIOServer

/// The transport between an editor and an instance: frames arrive in order, each after its time.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class SimulatedSession: EngineSession, @unchecked Sendable {
    let id: String
    let loop: SimulatedLoop
    let outside: SimulatedLoop
    let request: HandshakeRequest
    let transportName = "websocket"
    let bufferedBytes = 0
    let isBackedUp = false
    private(set) var isOpen = true
    var delegate: (any EngineSessionDelegate)?
    /// Called outside, with each frame and when the connection has ended.
    var onFrame: ([UInt8]) -> Void = { _ in }
    var onEnd: () -> Void = {}

    private let dice: Dice
    private var inbound: Int64 = 0
    private var outbound: Int64 = 0
    /// The editor's end of the connection is gone.
    private var isAbandoned = false

    init(
        id: String, on loop: SimulatedLoop, outside: SimulatedLoop, cookie: String, address: String,
        dice: Dice
    ) {
        self.id = id
        self.loop = loop
        self.outside = outside
        self.dice = dice
        request = HandshakeRequest(
            method: .GET, path: "/socket.io/", query: [],
            headers: ["cookie": "tandem_resume=\(cookie)"], remoteAddress: address,
            peerAddress: address, isWebSocket: true)
    }

    var eventLoop: any EventLoop { loop }
    private var way: Int64 { dice.milliseconds(1...20).wholeNanoseconds }

    // MARK: The instance's end

    func send(_ message: EngineMessage) {
        if case .text(let buffer) = message { deliver(Array(buffer.readableBytesView)) }
    }

    func send(_ broadcast: PreparedMessage) {
        deliver(Array(broadcast.text.readableBytesView))
    }

    func afterRoundTrip(_ body: @escaping @Sendable () -> Void) {
        guard isOpen else { return }
        toOutside {
            guard !self.isAbandoned else { return }
            self.toInstance { if self.isOpen { body() } }
        }
    }

    func close(_ reason: EngineCloseReason) {
        guard isOpen else { return }
        isOpen = false
        let delegate = delegate
        self.delegate = nil
        toOutside { self.ended() }
        delegate?.engineSession(self, closed: reason)
    }

    /// The process is gone: nothing is sent any more.
    func breakOff() { isOpen = false }

    private func deliver(_ bytes: [UInt8]) {
        guard isOpen else { return }
        toOutside { if !self.isAbandoned { self.onFrame(bytes) } }
    }

    private func toOutside(_ work: @escaping () -> Void) {
        outbound = max(outbound + 1, loop.scheduler.now + way)
        loop.scheduler.schedule(on: outside, at: outbound, work)
    }

    // MARK: The editor's end

    func write(_ text: String) {
        toInstance { self.delegate?.engineSession(self, received: Array(text.utf8)[...]) }
    }

    private func toInstance(_ work: @escaping () -> Void) {
        inbound = max(inbound + 1, loop.scheduler.now + way)
        loop.scheduler.schedule(on: loop, at: inbound, work)
    }

    /// The editor lets go. The instance notices after a while.
    func abandon(noticedAfter time: Duration) {
        isAbandoned = true
        loop.after(time) { self.close(.transportClose) }
    }

    /// The connection has broken without either end's doing.
    func ended() {
        guard !isAbandoned else { return }
        isAbandoned = true
        onEnd()
    }
}
