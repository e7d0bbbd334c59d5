import JSON
import NIOCore
import NIOEmbedded
import Testing

@testable import SocketIOServer

@Suite("Connecting to a namespace")
struct ConnectTests {
    @Test("CONNECT is answered with an id of its own, and the socket knows its handshake")
    func connect() throws {
        let bench = Bench()
        let sockets = Recorder<Socket>()
        bench.main.onConnection { sockets.add($0) }
        let session = bench.open()
        session.receive(#"0{"token":"t"}"#)
        let socket = try #require(sockets.all.first)
        #expect(session.sent == [#"0{"sid":"\#(socket.id)"}"#])
        #expect(socket.id.utf8.count == 20)
        #expect(socket.id != session.id)
        #expect(
            socket.id.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) }
        )
        #expect(socket.auth?["token"]?.string == "t")
        #expect(socket.handshake.queryItem("roomId") == "a")
        #expect(socket.isConnected)
        #expect(bench.main.socketCount == 1)
        #expect(bench.open().sent.isEmpty)
    }

    @Test("Ids of sockets differ")
    func ids() {
        let ids = (0..<2_000).map { _ in SocketID.random() }
        #expect(Set(ids).count == ids.count)
        #expect(Set(ids.joined()).count == 64)
    }

    @Test("A namespace that does not exist is refused, the connection stays")
    func unknownNamespace() {
        let bench = Bench()
        let session = bench.open()
        session.receive("0/nowhere,{}")
        #expect(session.sent == [#"4/nowhere,{"message":"Invalid namespace"}"#])
        session.receive("0")
        #expect(session.sent.count == 2)
        #expect(session.closed == nil)
    }

    @Test("Events wait for nothing that onConnection registers")
    func connectionHandler() {
        let bench = Bench()
        let log = Recorder<String>()
        bench.main.onConnection { socket in
            log.add("connection")
            socket.emit("welcome")
            socket.on("first") { log.add($0.name) }
        }
        let session = bench.open()
        session.receive("0")
        session.receive(#"2["first"]"#)
        #expect(log.all == ["connection", "first"])
        #expect(session.sent.count == 2)
        #expect(session.sent.last == #"2["welcome"]"#)
    }

    @Test("Middleware runs in order; futures are awaited; nothing leaves the socket before")
    func middlewareOrder() {
        let bench = Bench()
        let log = Recorder<String>()
        let gate = bench.loop.makePromise(of: Void.self)
        bench.main.use { socket in
            log.add("one")
            socket.user = "somebody"
            socket.join("room")
            socket.emit("early")
            return nil
        }
        bench.main.use { _ in
            log.add("two")
            return gate.futureResult
        }
        bench.main.use { _ in
            log.add("three")
            return nil
        }
        bench.main.onConnection { socket in
            log.add("\(socket.user as? String ?? "nobody") in \(socket.rooms.count) room")
        }
        let session = bench.open()
        session.receive("0")
        #expect(log.all == ["one", "two"])
        #expect(session.sent.isEmpty)
        gate.succeed()
        bench.loop.run()
        #expect(log.all == ["one", "two", "three", "somebody in 1 room"])
        #expect(session.sent.count == 1)
    }

    @Test("Middleware refuses with message and data; other errors stay inside")
    func middlewareRefusal() {
        let bench = Bench()
        bench.main.use { socket in
            let error: any Error =
                socket.auth == nil
                ? ConnectError(message: "REDIRECT:http://x", data: ["url": "http://x"])
                : ChannelError.eof
            return socket.eventLoop.makeFailedFuture(error)
        }
        let session = bench.open()
        session.receive("0")
        bench.loop.run()
        #expect(
            session.takeSent() == [#"4{"message":"REDIRECT:http://x","data":{"url":"http://x"}}"#])
        session.receive("0{}")
        bench.loop.run()
        #expect(session.takeSent() == [#"4{"message":"Internal error"}"#])
        #expect(bench.main.socketCount == 0)
        #expect(session.closed == nil)
    }

    @Test("A client that left while middleware decided is not connected")
    func leftInMiddleware() {
        let bench = Bench()
        let gates = [bench.loop.makePromise(of: Void.self), bench.loop.makePromise(of: Void.self)]
        let asked = Recorder<String>()
        let connected = Recorder<String>()
        bench.main.use { socket in
            asked.add(socket.id)
            return gates[asked.all.count - 1].futureResult
        }
        bench.main.onConnection { connected.add($0.id) }
        let session = bench.open()
        session.receive("0")
        session.receive("1")
        session.receive("0")
        gates[0].succeed()
        bench.loop.run()
        #expect(connected.all.isEmpty)
        session.close(.transportClose)
        gates[1].succeed()
        bench.loop.run()
        #expect(asked.all.count == 2)
        #expect(connected.all.isEmpty)
        #expect(bench.main.socketCount == 0)
    }

    @Test("Only the last of two CONNECT is answered when the first was given up")
    func connectAgain() {
        let bench = Bench()
        let gates = [bench.loop.makePromise(of: Void.self), bench.loop.makePromise(of: Void.self)]
        let asked = Recorder<String>()
        let connected = Recorder<String>()
        bench.main.use { socket in
            asked.add(socket.id)
            return gates[asked.all.count - 1].futureResult
        }
        bench.main.onConnection { connected.add($0.id) }
        let session = bench.open()
        session.receive("0")
        session.receive("1")
        session.receive("0")
        gates[1].succeed()
        gates[0].succeed()
        bench.loop.run()
        #expect(connected.all == [asked.all[1]])
        #expect(session.sent == [#"0{"sid":"\#(asked.all[1])"}"#])
    }

    @Test("A connection in no namespace is closed after the connect timeout")
    func connectTimeout() {
        let bench = Bench()
        let silent = bench.open("silent")
        let (client, socket) = bench.connect("client")
        bench.loop.advanceTime(by: .seconds(44))
        #expect(silent.closed == nil)
        bench.loop.advanceTime(by: .seconds(2))
        #expect(silent.closed == .forcedClose)
        #expect(client.closed == nil)
        socket.disconnect()
        bench.loop.advanceTime(by: .seconds(44))
        client.receive("0")
        bench.loop.advanceTime(by: .seconds(60))
        #expect(client.closed == nil)
        client.receive("1")
        bench.loop.advanceTime(by: .seconds(46))
        #expect(client.closed == .forcedClose)
    }

    @Test("Namespaces of one connection are limited")
    func namespaceLimit() {
        var limits = SocketLimits()
        limits.maxNamespacesPerConnection = 2
        let bench = Bench(limits)
        for name in ["/a", "/b", "/c"] { _ = bench.namespaces.obtain(name) }
        let session = bench.open()
        for name in ["/a", "/b", "/c"] { session.receive("0\(name),") }
        #expect(session.sent.last == #"4/c,{"message":"Too many namespaces"}"#)
        #expect(session.closed == nil)
    }

    @Test(
        "What is no packet, or comes out of turn, closes the connection",
        arguments: [
            ["x"], ["0", "2{}"], ["0", "0"], ["0", "9"], ["2[\"e\"]"], ["31[]"], ["1"],
            ["0", "2/other,[\"e\"]"], ["0", "4{}"], ["0[]"], ["0", "2[\"connect\"]"],
            ["0", "51-[\"e\",{\"_placeholder\":true,\"num\":1}]"],
            ["0", "51-[\"e\"]", "2[\"e\"]"],
        ])
    func protocolErrors(_ messages: [String]) {
        let bench = Bench()
        let session = bench.open()
        for message in messages {
            #expect(session.closed == nil)
            session.receive(message)
        }
        #expect(session.closed == .parseError)
        #expect(bench.main.socketCount == 0)
    }

    @Test("An attachment that no packet announced closes the connection")
    func strayAttachment() {
        let (session, _) = Bench().connect()
        session.receive(binary: [1])
        #expect(session.closed == .parseError)
    }
}
