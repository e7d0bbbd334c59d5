import JSON
import Logging
import NIOCore
import NIOEmbedded
import NIOPosix
import Testing

@testable import SocketIOServer

@Suite("Rooms and broadcasts")
struct BroadcastTests {
    /// Three clients: a in `x`, b in `x` and `y`, c in none.
    private struct Trio {
        let bench = Bench()
        let sessions: [FakeSession]
        let sockets: [Socket]

        init() {
            let clients = [bench.connect("a"), bench.connect("b"), bench.connect("c")]
            sessions = clients.map(\.0)
            sockets = clients.map(\.1)
            sockets[0].join("x")
            sockets[1].join("x")
            sockets[1].join("y")
        }

        /// Which clients got exactly one event, as a word: `ac`.
        func reached() -> String {
            sessions.map { $0.takeSent().count == 1 ? $0.id : "" }.joined()
        }
    }

    @Test("A broadcast reaches its target, each socket once")
    func targets() {
        let trio = Trio()
        let main = trio.bench.main
        let ids = trio.sockets.map(\.id)
        let cases: [(BroadcastOperator, String)] = [
            (main.broadcast, "abc"), (main.to("x"), "ab"), (main.to(["x", "y"]), "ab"),
            (main.to("y"), "b"), (main.to("nobody"), ""), (main.to([]), ""),
            (main.to(ids[2]), "c"), (main.to([ids[2], "x"]), "abc"), (main.except("x"), "c"),
            (main.except([ids[0]]), "bc"), (main.to("x").except("y"), "a"),
            (main.to("x").except(ids[0]), "b"), (main.to("x").except(["x"]), ""),
            (trio.sockets[0].broadcast, "bc"), (trio.sockets[0].to("x"), "b"),
        ]
        for (index, (target, expected)) in cases.enumerated() {
            target.emit("e", 1)
            #expect(trio.reached() == expected, "case \(index)")
        }
    }

    @Test("Joining, leaving and going away show at once, and leave nothing behind")
    func membership() throws {
        let trio = Trio()
        let (a, b) = (trio.sockets[0], trio.sockets[1])
        #expect(b.rooms == [b.id, "x", "y"])
        a.join("x")
        b.leave("x")
        b.leave("never")
        trio.bench.main.to("x").emit("e")
        #expect(trio.reached() == "a")
        trio.sessions[0].close(.transportClose)
        trio.sockets[1].disconnect()
        _ = trio.sessions[1].takeSent()
        trio.bench.main.to(["x", "y", a.id, b.id]).emit("e")
        #expect(trio.reached() == "")
        a.join("x")
        let adapter = try #require(trio.bench.main.adapter as? LocalAdapter)
        #expect(adapter.roomCount == 0)
        #expect(trio.bench.main.socketCount == 1)
    }

    @Test("A volatile broadcast leaves out who is behind")
    func volatile() {
        let trio = Trio()
        trio.sessions[1].bufferedBytes = 1_000_000
        trio.bench.main.volatile.emit("e")
        #expect(trio.reached() == "ac")
        trio.bench.main.emit("e")
        #expect(trio.reached() == "abc")
    }

    @Test("Events prepared once are spelled for their namespace, and kept from others")
    func prepared() {
        let bench = Bench()
        let (session, socket) = bench.connect("s", namespace: "/a")
        let event = PreparedEvent(
            "up", [.attachment(0)], namespace: "/a", attachments: [ByteBuffer(bytes: [5])])
        socket.send(event)
        socket.send(PreparedEvent("up", []))
        #expect(
            session.takeSent() == [#"51-/a,["up",{"_placeholder":true,"num":0}]"#, "<5>"])
        bench.namespaces.obtain("/a").to(socket.id).emit(event)
        #expect(session.takeSent().count == 2)
        bench.namespaces.obtain("/a").emit("n", 1)
        #expect(session.takeSent() == [#"2/a,["n",1]"#])
    }

    @Test("Many sockets are moved and disconnected together")
    func bulk() {
        let trio = Trio()
        let main = trio.bench.main
        main.to("x").socketsJoin("z")
        main.to("y").socketsLeave("z")
        main.to("z").emit("e")
        #expect(trio.reached() == "a")
        main.to("x").disconnectSockets()
        #expect(trio.sessions.map { $0.takeSent() } == [["1"], ["1"], []])
        #expect(main.socketCount == 1)
    }

    @Test("Rooms of a socket are limited")
    func roomLimit() {
        var limits = SocketLimits()
        limits.maxRoomsPerSocket = 2
        let (_, socket) = Bench(limits).connect()
        for room in ["a", "b", "c"] { socket.join(room) }
        #expect(socket.rooms == [socket.id, "a", "b"])
        socket.leave("a")
        socket.join("c")
        #expect(socket.rooms == [socket.id, "b", "c"])
    }

    @Test("Across loops a broadcast reaches every member in order, from any thread")
    func acrossLoops() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 3)
        let loops = group.makeIterator().map { $0 as any EventLoop }
        let namespaces = NamespaceTable(loops: loops, limits: SocketLimits()) { _, loops, _ in
            LocalAdapter(loops: loops)
        }
        let main = namespaces.obtain("/")
        main.onConnection { $0.join("room") }
        var sessions: [FakeSession] = []
        for loop in loops + loops {
            let session = FakeSession(loop)
            sessions.append(session)
            try await loop.submit {
                _ = SocketIOConnection(
                    session, namespaces: namespaces, logger: Logger(label: "test"))
                session.receive("0")
                _ = session.takeSent()
            }.get()
        }
        #expect(main.socketCount == 6)
        for number in 0..<100 { main.to("room").emit("e", .integer(number)) }
        try await loops[0].submit {
            for number in 100..<200 { main.to("room").emit("e", .integer(number)) }
        }.get()
        for loop in loops { try await loop.submit {}.get() }
        let expected = (0..<200).map { "2[\"e\",\($0)]" }
        for session in sessions { #expect(session.sent == expected) }
        for session in sessions {
            try await session.eventLoop.submit { session.close(.forcedClose) }.get()
        }
        #expect(main.socketCount == 0)
        try await group.shutdownGracefully()
    }

    @Test("Calls on a socket from another thread keep their order, and acks come back")
    func otherThread() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let namespaces = NamespaceTable(loops: [loop], limits: SocketLimits()) { _, loops, _ in
            LocalAdapter(loops: loops)
        }
        let connected = loop.makePromise(of: Socket.self)
        namespaces.obtain("/").onConnection { connected.succeed($0) }
        namespaces.obtain("/").use { socket async throws in socket.onUnhandled { _ in } }
        let session = FakeSession(loop)
        try await loop.submit {
            _ = SocketIOConnection(
                session, namespaces: namespaces, logger: Logger(label: "test"))
            session.receive("0")
        }.get()
        let socket = try await connected.futureResult.get()
        let sent = session.takeSent()
        #expect(sent.count == 1)
        for number in 0..<50 { socket.emit("e", .integer(number)) }
        let answer = socket.emitWithAck("q", timeout: .seconds(30))
        try await loop.submit { session.receive(#"30["a"]"#) }.get()
        #expect(try await answer.get().first?.string == "a")
        #expect(session.sent == (0..<50).map { "2[\"e\",\($0)]" } + [#"20["q"]"#])
        socket.disconnect()
        try await loop.submit {}.get()
        #expect(session.sent.last == "1")
        try await loop.submit { session.close(.forcedClose) }.get()
        try await group.shutdownGracefully()
    }
}
