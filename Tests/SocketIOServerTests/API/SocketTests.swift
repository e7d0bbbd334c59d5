import JSON
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import SocketIOServer

@Suite("Socket")
struct SocketTests {
    @Test("An event reaches the handlers of its name, every-event handlers, or the unhandled one")
    func dispatch() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        socket.onAny { log.add("any \($0.name)") }
        socket.on("a") { log.add("a \($0.arguments.values.map(\.text))") }
        socket.on("a") { _ in log.add("a again") }
        socket.onUnhandled { log.add("unhandled \($0.name)") }
        session.receive(#"2["a",1,{"x":[2]}]"#)
        session.receive(#"2["b"]"#)
        session.receive("2[7]")
        #expect(
            log.all == [
                "any a", #"a ["1", "{\"x\":[2]}"]"#, "a again", "any b", "unhandled b", "any 7",
                "unhandled 7",
            ])
    }

    @Test("A delegate is told all that handlers are, after them, and let go at the end")
    func delegate() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        weak var ended: RecordingDelegate?
        do {
            let delegate = RecordingDelegate(log)
            ended = delegate
            socket.delegate = delegate
        }
        session.receive(#"2["a",1]"#)
        socket.on("a") { _ in log.add("handler of a") }
        socket.onDisconnect { _ in log.add("handler of the end") }
        session.receive(#"2["a",2]"#)
        session.receive(#"2["b"]"#)
        session.discard(20_000_000, prefix: #"2["scene",{"a":"#)
        session.delegate?.engineSessionBackedUp(session)
        session.delegate?.engineSessionBecameWritable(session)
        session.receive("1")
        #expect(
            log.all == [
                "a 1", "handler of a", "a 1", "b 0", "scene 20000000", "backed up", "writable",
                "handler of the end", "\(DisconnectReason.clientNamespaceDisconnect)",
            ])
        #expect(ended == nil && socket.delegate == nil)
    }

    @Test("An event that a handler's socket has left is not told its delegate")
    func delegateAfterTheEnd() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        socket.delegate = RecordingDelegate(log)
        socket.on("a") { _ in socket.disconnect() }
        session.receive(#"2["a"]"#)
        #expect(log.all == ["\(DisconnectReason.serverNamespaceDisconnect)"])
    }

    @Test("An event that asks for an answer gets the first one only")
    func acknowledge() {
        let (session, socket) = Bench().connect()
        let acknowledgements = Recorder<Acknowledgement>()
        socket.on("save") { event in
            if let acknowledge = event.acknowledge { acknowledgements.add(acknowledge) }
        }
        session.receive(#"2["save"]"#)
        #expect(acknowledgements.all.isEmpty)
        session.receive(#"25["save"]"#)
        session.receive(#"26["save"]"#)
        acknowledgements.all[0](["ok": true], 2)
        acknowledgements.all[0]("again")
        acknowledgements.all[1].send([.attachment(0)], attachments: [ByteBuffer(bytes: [9])])
        #expect(
            session.takeSent() == [
                #"35[{"ok":true},2]"#, #"61-6[{"_placeholder":true,"num":0}]"#, "<9>",
            ])
    }

    @Test("An answer after the end goes nowhere")
    func lateAcknowledge() {
        let (session, socket) = Bench().connect()
        let acknowledgements = Recorder<Acknowledgement>()
        socket.on("save") { event in
            if let acknowledge = event.acknowledge { acknowledgements.add(acknowledge) }
        }
        session.receive(#"25["save"]"#)
        session.receive("1")
        acknowledgements.all[0]("late")
        #expect(session.takeSent().isEmpty)
    }

    @Test("Binary events come with their attachments and go with them")
    func binary() throws {
        let (session, socket) = Bench().connect()
        let events = Recorder<SocketEvent>()
        socket.on("up") { events.add($0) }
        session.receive(
            #"52-["up",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#)
        session.receive(binary: [1, 2])
        #expect(events.all.isEmpty)
        session.receive(binary: [3])
        let arguments = try #require(events.all.first?.arguments)
        #expect(arguments.attachments == [ByteBuffer(bytes: [1, 2]), ByteBuffer(bytes: [3])])
        let first = try #require(arguments[0]?["a"])
        #expect(arguments.attachment(for: first) == ByteBuffer(bytes: [3]))
        #expect(arguments.attachment(for: .emptyObject) == nil)
        #expect(arguments[2] == nil)

        socket.emit(
            "down", arguments: [["file": .attachment(0)]], attachments: [ByteBuffer(bytes: [4])])
        #expect(
            session.takeSent() == [#"51-["down",{"file":{"_placeholder":true,"num":0}}]"#, "<4>"])
    }

    @Test("An ack completes the event that asked for it")
    func emitWithAck() throws {
        let (session, socket) = Bench().connect()
        let first = socket.emitWithAck("q", 1, timeout: .seconds(1))
        let second = socket.emitWithAck("q", timeout: .seconds(1))
        #expect(session.takeSent() == [#"20["q",1]"#, #"21["q"]"#])
        session.receive(#"31["two"]"#)
        session.receive(#"60-0[]"#)
        session.receive(#"31["twice"]"#)
        session.receive(#"399["unknown"]"#)
        #expect(try second.wait().first?.string == "two")
        #expect(try first.wait().count == 0)
        #expect(session.closed == nil)
    }

    @Test("Acks that do not come fail in time, each at its own")
    func ackTimeout() {
        let bench = Bench()
        let (_, socket) = bench.connect()
        let log = Recorder<String>()
        for (name, seconds) in [("late", 5), ("soon", 1), ("middle", 3)] as [(String, Int64)] {
            socket.emitWithAck(name, timeout: .seconds(seconds)).whenFailure { error in
                log.add("\(name) \(error)")
            }
        }
        bench.loop.advanceTime(by: .milliseconds(999))
        #expect(log.all.isEmpty)
        bench.loop.advanceTime(by: .milliseconds(1))
        #expect(log.all == ["soon timeout"])
        bench.loop.advanceTime(by: .seconds(2))
        #expect(log.all == ["soon timeout", "middle timeout"])
        bench.loop.advanceTime(by: .seconds(2))
        #expect(log.all.last == "late timeout")
    }

    @Test("Pending acks are bounded, and fail when the client goes")
    func ackLimit() {
        var limits = SocketLimits()
        limits.maxPendingAcks = 1
        let (session, socket) = Bench(limits).connect()
        let log = Recorder<String>()
        for name in ["one", "two"] {
            socket.emitWithAck(name, timeout: .seconds(9)).whenFailure { log.add("\(name) \($0)") }
        }
        #expect(session.takeSent() == [#"20["one"]"#])
        session.close(.pingTimeout)
        socket.emitWithAck("three", timeout: .seconds(9)).whenFailure { log.add("three \($0)") }
        #expect(log.all == ["two tooManyPending", "one disconnected", "three disconnected"])
    }

    @Test("Arguments of events and acks are limited")
    func argumentLimit() {
        for prefix in [#"2["e","#, "30["] {
            let (session, socket) = Bench().connect()
            let log = Recorder<Int>()
            socket.onAny { log.add($0.arguments.count) }
            let arguments = Array(repeating: "1", count: 256)
            session.receive(prefix + arguments.joined(separator: ",") + "]")
            #expect(session.closed == nil)
            session.receive(prefix + (arguments + ["1"]).joined(separator: ",") + "]")
            #expect(session.closed == (prefix.hasPrefix("2") ? nil : .parseError))
            #expect(log.all == (prefix.hasPrefix("2") ? [256] : []))
        }
    }

    @Test("An event with too many arguments or too deep a payload is reported, the socket stays")
    func tooMuchIsReported() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        socket.onOversized { message in
            log.add("\(message.event ?? "?")")
            message.acknowledge?("too much")
        }
        socket.on("after") { _ in log.add("after") }
        let depth = 10_000
        let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        session.receive(#"25["deep",\#(deep)]"#)
        let many = Array(repeating: "1", count: 257).joined(separator: ",")
        session.receive(#"26["many",\#(many)]"#)
        session.receive(#"2["after"]"#)
        #expect(session.closed == nil)
        #expect(log.all == ["deep", "many", "after"])
        #expect(session.sent.suffix(2) == [#"35["too much"]"#, #"36["too much"]"#])
    }

    @Test("The end is told exactly once, with its reason, after the rooms are left")
    func disconnectReasons() {
        let ends: [(String, (FakeSession, Socket) -> Void)] = [
            ("client namespace disconnect", { session, _ in session.receive("1") }),
            ("server namespace disconnect", { _, socket in socket.disconnect() }),
            ("ping timeout", { session, _ in session.close(.pingTimeout) }),
            ("parse error", { session, _ in session.receive("x") }),
            ("server shutting down", { _, socket in socket.closeTransport(.serverShutdown()) }),
        ]
        for (reason, end) in ends {
            let bench = Bench()
            let (session, socket) = bench.connect()
            let log = Recorder<String>()
            socket.join("room")
            socket.onDisconnect { log.add("\($0) \(socket.rooms.count) \(socket.isConnected)") }
            end(session, socket)
            socket.disconnect()
            session.close(.transportClose)
            #expect(log.all == ["\(reason) 0 false"])
            socket.onDisconnect { log.add("late \($0)") }
            #expect(log.all.last == "late \(reason)")
            #expect(bench.main.socketCount == 0)
        }
    }

    @Test("A server-side disconnect sends the packet; closing the transport does not")
    func disconnectPacket() {
        let bench = Bench()
        let (session, socket) = bench.connect("one", namespace: "/a")
        socket.disconnect()
        #expect(session.takeSent() == ["1/a,"])
        #expect(session.closed == nil)
        let (other, second) = bench.connect("two")
        second.closeTransport(.serverShutdown())
        #expect(other.takeSent().isEmpty)
        #expect(other.closed == .serverShutdown(code: 1012))
    }

    @Test("Namespaces of one connection live and end apart")
    func namespaces() {
        let bench = Bench()
        let (session, main) = bench.connect()
        let log = Recorder<String>()
        bench.namespaces.obtain("/a").onConnection { socket in
            log.add("a differs \(socket.id != main.id)")
            socket.on("e") { _ in log.add("e in a") }
            socket.onDisconnect { log.add("a: \($0)") }
        }
        main.on("e") { _ in log.add("e in main") }
        session.receive("0/a,")
        session.receive(#"2/a,["e"]"#)
        session.receive(#"2["e"]"#)
        session.receive("1/a,")
        session.receive(#"2["e"]"#)
        #expect(
            log.all == [
                "a differs true", "e in a", "e in main", "a: client namespace disconnect",
                "e in main",
            ])
        #expect(session.closed == nil)
    }

    @Test("What was on its way when the server disconnected the client is dropped")
    func inFlight() {
        let bench = Bench()
        let (session, socket) = bench.connect()
        let log = Recorder<String>()
        socket.onAny { log.add($0.name) }
        socket.disconnect()
        session.receive(#"2["e"]"#)
        session.receive("30[]")
        #expect(log.all.isEmpty)
        #expect(session.closed == nil)
        session.receive("0")
        #expect(session.sent.last?.hasPrefix("0{") == true)
        #expect(session.sent.last?.contains(socket.id) == false)
    }

    @Test("A handler that disconnects is the last to see the event")
    func disconnectInHandler() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        socket.on("e") { _ in
            log.add("first")
            socket.disconnect()
        }
        socket.on("e") { _ in log.add("second") }
        session.receive(#"2["e"]"#)
        #expect(log.all == ["first"])
    }

    @Test("A message that was too long is reported with its name, and can be answered")
    func oversized() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        socket.onOversized { message in
            log.add("\(message.event ?? "?") \(message.byteCount)")
            message.acknowledge?(["ok": false])
        }
        session.discard(20_000_000, prefix: #"24["scene",{"a":"#)
        session.discard(30_000_000, prefix: #"2["cut off"#)
        #expect(log.all == ["scene 20000000", "? 30000000"])
        #expect(session.takeSent() == [#"34[{"ok":false}]"#])
        #expect(session.closed == nil)
    }

    @Test("Volatile events are dropped while much is waiting")
    func volatile() {
        let (session, socket) = Bench().connect()
        session.bufferedBytes = 16 * 1024
        socket.emitVolatile("a")
        session.bufferedBytes += 1
        socket.emitVolatile("b")
        socket.sendVolatile(PreparedEvent("c", []))
        socket.emit("d")
        #expect(socket.bufferedBytes == 16 * 1024 + 1)
        #expect(session.takeSent() == [#"2["a"]"#, #"2["d"]"#])
    }

    @Test("Writable again is passed on")
    func writable() {
        let (session, socket) = Bench().connect()
        let log = Recorder<String>()
        socket.onWritable { log.add("writable") }
        session.delegate?.engineSessionBecameWritable(session)
        #expect(log.all == ["writable"])
    }

    @Test("Socket and connection are freed at the end, whatever the handlers hold")
    func freed() {
        let bench = Bench()
        let witness = NIOLockedValueBox(Witness())
        bench.main.onConnection { socket in
            witness.withLockedValue { $0 = Witness(socket: socket, connection: socket.connection) }
            socket.join("room")
            socket.user = socket
            socket.onAny { _ in socket.emit("answer") }
            socket.onDisconnect { _ in _ = socket.id }
            socket.emitWithAck("q", timeout: .seconds(5)).whenComplete { _ in _ = socket.id }
        }
        let session = bench.open()
        session.receive("0")
        session.receive(#"24["e"]"#)
        #expect(witness.withLockedValue { $0.socket != nil && $0.connection != nil })
        session.close(.transportClose)
        #expect(witness.withLockedValue { $0.socket == nil && $0.connection == nil })
        #expect(session.delegate == nil)
    }

    private struct Witness: Sendable {
        weak let socket: Socket?
        weak let connection: SocketIOConnection?

        init(socket: Socket? = nil, connection: SocketIOConnection? = nil) {
            self.socket = socket
            self.connection = connection
        }
    }

    @Test("Random messages never do worse than close the connection", arguments: 0..<4)
    func noise(seed: UInt64) {
        var random = Noise(seed: seed)
        let pieces = [
            "0", "1", "2", "3", "4", "5", "6", "1-", "/a,", "/", "[\"e\"", ",null", "]", "{}",
            "[]", "7", "[\"e\",{\"_placeholder\":true,\"num\":0}]", "\u{0}", "é",
        ]
        let packets = [
            "2[\"e\"]", "23[\"e\",{}]", "30[1]", "51-[\"e\"]", "0/a,", "1/a,", "2/a,[1]",
        ]
        let bench = Bench()
        _ = bench.namespaces.obtain("/a")
        let events = Recorder<String>()
        bench.main.onConnection { socket in socket.onAny { events.add($0.name) } }
        for _ in 0..<1_000 {
            let session = bench.open()
            if Bool.random(using: &random) { session.receive("0") }
            for _ in 0..<8 {
                let count = Int.random(in: 0...4, using: &random)
                let message = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }
                if Int.random(in: 0..<5, using: &random) == 0 {
                    session.receive(binary: Array(message.joined().utf8))
                } else if Bool.random(using: &random) {
                    session.receive(packets.randomElement(using: &random) ?? "")
                } else {
                    session.receive(message.joined())
                }
            }
            session.close(.transportClose)
        }
        #expect(bench.main.socketCount == 0)
        #expect(!events.all.isEmpty)
    }
}

/// A small seeded generator, so that a failure can be repeated.
private struct Noise: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &+ 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Writes down what a socket tells its delegate.
private final class RecordingDelegate: SocketDelegate {
    private let log: Recorder<String>

    init(_ log: Recorder<String>) { self.log = log }

    func socket(_ socket: Socket, received event: SocketEvent) {
        log.add("\(event.name) \(event.arguments.count)")
    }

    func socket(_ socket: Socket, dropped message: OversizedMessage) {
        log.add("\(message.event ?? "?") \(message.byteCount)")
    }

    func socketBackedUp(_ socket: Socket) { log.add("backed up") }

    func socketBecameWritable(_ socket: Socket) { log.add("writable") }

    func socket(_ socket: Socket, disconnected reason: DisconnectReason) { log.add("\(reason)") }
}
