import JSON
import NIOCore
import Testing

@testable import SocketIOServer

/// Socket.IO 4, the protocol of clients that open with `EIO=3`.
@Suite("Clients of protocol revision 4")
struct OldClientTests {
    @Test("The client is in the main namespace without asking, its id is that of the session")
    func mainNamespace() {
        let bench = Bench()
        let sockets = Recorder<Socket>()
        bench.main.onConnection { socket in
            socket.emit("welcome", .string(socket.id))
            sockets.add(socket)
        }
        let session = bench.open("engine-7", revision: "3")
        #expect(session.takeSent() == ["0", #"2["welcome","engine-7"]"#])
        #expect(sockets.all.first?.auth == nil)
        #expect(sockets.all.first?.rooms == ["engine-7"])
        bench.main.to("engine-7").emit("hello")
        #expect(session.takeSent() == [#"2["hello"]"#])
    }

    @Test("Another namespace has an id with its name, and the query for auth")
    func otherNamespace() {
        let bench = Bench()
        let sockets = Recorder<Socket>()
        bench.namespaces.obtain("/admin").onConnection { sockets.add($0) }
        let session = bench.open("e", revision: "3")
        session.receive("0/admin?token=a%20b,")
        #expect(session.takeSent() == ["0", "0/admin,"])
        #expect(sockets.all.first?.id == "/admin#e")
        #expect(sockets.all.first?.auth?.text == #"{"token":"a b"}"#)
        session.receive("1/admin")
        session.receive("0/admin")
        #expect(session.takeSent() == ["0/admin,"])
        #expect(sockets.all.map(\.id) == ["/admin#e", "/admin#e"])
        #expect(sockets.all.map(\.isConnected) == [false, true])
        #expect(bench.namespaces.obtain("/admin").socketCount == 1)
    }

    @Test("Events, acks and attachments are those of revision 5")
    func events() {
        let bench = Bench()
        bench.main.onConnection { socket in
            socket.on("echo") { event in
                event.acknowledge?.send(
                    event.arguments.values.map(JSONValue.raw),
                    attachments: event.arguments.attachments)
            }
        }
        let session = bench.open(revision: "3")
        _ = session.takeSent()
        session.receive(#"21["echo",{"a":1}]"#)
        session.receive(#"51-2["echo",{"_placeholder":true,"num":0}]"#)
        session.receive(binary: [1, 2])
        #expect(
            session.takeSent()
                == [#"31[{"a":1}]"#, #"61-2[{"_placeholder":true,"num":0}]"#, "<1,2>"])
    }

    @Test("A refusal is an ERROR with data, or with the message as a string")
    func refusals() {
        let bench = Bench()
        bench.main.use { socket in
            socket.eventLoop.makeFailedFuture(ConnectError(message: "REDIRECT:http://x"))
        }
        bench.namespaces.obtain("/data").use { socket in
            socket.eventLoop.makeFailedFuture(ConnectError(message: "no", data: ["why": "so"]))
        }
        bench.namespaces.obtain("/fault").use { socket in
            socket.eventLoop.makeFailedFuture(ChannelError.eof)
        }
        let session = bench.open(revision: "3")
        for name in ["data", "fault", "nothing"] { session.receive("0/\(name)?a=b") }
        bench.loop.run()
        #expect(
            session.takeSent().sorted() == [
                #"4"REDIRECT:http://x""#, #"4/data,{"why":"so"}"#, #"4/fault,"Internal error""#,
                #"4/nothing,{"message":"Invalid namespace"}"#,
            ])
        #expect(session.closed == nil)
        bench.loop.advanceTime(by: .seconds(46))
        #expect(session.closed == .forcedClose)
    }

    @Test("Middleware that takes its time is waited for, and a client that left is not connected")
    func slowMiddleware() {
        let bench = Bench()
        let gate = bench.loop.makePromise(of: Void.self)
        bench.main.use { _ in gate.futureResult }
        let patient = bench.open("a", revision: "3")
        let gone = bench.open("b", revision: "3")
        #expect(patient.sent.isEmpty)
        gone.close(.transportClose)
        gate.succeed()
        bench.loop.run()
        #expect(patient.takeSent() == ["0"])
        #expect(gone.sent.isEmpty)
        #expect(bench.main.socketCount == 1)
    }

    @Test(
        "What comes out of turn closes the connection",
        arguments: ["0", "4\"x\"", "2/admin,[\"e\"]", "2[\"connect\"]", "9"])
    func outOfTurn(text: String) {
        let bench = Bench()
        let session = bench.open(revision: "3")
        session.receive(text)
        #expect(session.closed == .parseError)
        #expect(bench.main.socketCount == 0)
    }

    @Test("A broadcast reaches clients of both revisions, a DISCONNECT too")
    func both() {
        let bench = Bench()
        let sockets = Recorder<Socket>()
        bench.main.onConnection { sockets.add($0) }
        let old = bench.open("old", revision: "3")
        let new = bench.open("new")
        new.receive("0")
        for session in [old, new] { _ = session.takeSent() }
        bench.main.emit("news", arguments: [1], attachments: [ByteBuffer(bytes: [7])])
        #expect(old.takeSent() == [#"51-["news",1]"#, "<7>"])
        #expect(new.takeSent() == [#"51-["news",1]"#, "<7>"])
        for socket in sockets.all { socket.disconnect() }
        #expect(old.takeSent() == ["1"])
        #expect(new.takeSent() == ["1"])
    }
}
