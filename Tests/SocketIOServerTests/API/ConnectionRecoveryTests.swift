import JSON
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Testing

@testable import SocketIOServer

/// CONNECT where the namespace lets clients come back as the sockets they were.
@Suite struct ConnectionRecoveryTests {
    /// Answers as the test says, and keeps what it was asked.
    final class Scripted: ConnectionRecovery {
        struct State: Sendable {
            var isOffered = true
            var requests: [RecoveryRequest] = []
            var finds: [EventLoopPromise<LostSocket?>] = []
            var claims: [(socket: Socket, complete: @Sendable (Bool) -> Void)] = []
            var abandoned: [String?] = []
        }

        let state = NIOLockedValueBox(State())

        func isOffered(to handshake: HandshakeRequest) -> Bool {
            state.withLockedValue { $0.isOffered }
        }

        func find(_ request: RecoveryRequest) -> EventLoopFuture<LostSocket?> {
            let promise = request.eventLoop.makePromise(of: LostSocket?.self)
            state.withLockedValue {
                $0.requests.append(request)
                $0.finds.append(promise)
            }
            return promise.futureResult
        }

        func claim(
            _ lost: LostSocket, for socket: Socket, complete: @escaping @Sendable (Bool) -> Void
        ) {
            state.withLockedValue { $0.claims.append((socket, complete)) }
        }

        func abandon(_ lost: LostSocket, claimedFor socket: Socket?) {
            state.withLockedValue { $0.abandoned.append(socket?.id) }
        }

        var finds: [EventLoopPromise<LostSocket?>] { state.withLockedValue { $0.finds } }
        var claims: [(socket: Socket, complete: @Sendable (Bool) -> Void)] {
            state.withLockedValue { $0.claims }
        }
        var abandoned: [String?] { state.withLockedValue { $0.abandoned } }
    }

    private static let sid = "abcdefghijklmnopqrst"
    private static let pid = "\(sid).0123456789abcdef0123456789abcdef"
    private static let lost = LostSocket(isRecoverable: true, context: "context")

    private let bench = Bench()
    private let recovery = Scripted()

    init() { bench.main.recover(by: recovery) }

    private func comeBack(_ offset: String = "place") -> FakeSession {
        let session = bench.open()
        session.receive(#"0{"pid":"\#(Self.pid)","offset":"\#(offset)","token":1}"#)
        return session
    }

    /// What CONNECT was answered with.
    private func answer(_ session: FakeSession) throws -> (sid: String, pid: String?) {
        let text = try #require(session.takeSent().first)
        let body = try JSONText(text: String(text.dropFirst()))
        return (body["sid"]?.string ?? "", body["pid"]?.string)
    }

    @Test func aNewClientIsToldASecretOfItsOwn() throws {
        let pids = try (0..<2).map { _ in
            let session = bench.open()
            session.receive("0")
            let (sid, pid) = try answer(session)
            #expect(PersistentID.socketID(in: pid ?? "") == sid)
            return pid
        }
        #expect(pids[0] != pids[1])
    }

    @Test func nobodyIsToldOneWithoutTheHookOrTheOffer() throws {
        recovery.state.withLockedValue { $0.isOffered = false }
        let session = comeBack()
        #expect(try answer(session).pid == nil)
        let other = Bench().open()
        other.receive(#"0{"pid":"\#(Self.pid)","offset":"x"}"#)
        #expect(try answer(other).pid == nil)
        #expect(recovery.finds.isEmpty)
    }

    @Test(arguments: [
        "0", "0{}", #"0{"pid":7}"#, #"0{"pid":""}"#, #"0{"pid":"x.y"}"#,
        #"0{"pid":"abcdefghijklmnopqrst.0123456789ABCDEF0123456789abcdef"}"#,
        #"0{"pid":"abcdefghijklmnopqrs/.0123456789abcdef0123456789abcdef"}"#,
        #"0{"pid":"abcdefghijklmnopqrst-0123456789abcdef0123456789abcdef"}"#,
        #"0{"pid":"abcdefghijklmnopqrst.0123456789abcdef0123456789abcde"}"#,
    ])
    func whatIsNoSecretByItsFormIsNotLookedFor(_ packet: String) throws {
        let session = bench.open()
        session.receive(packet)
        #expect(try answer(session).pid != nil)
        #expect(recovery.finds.isEmpty)
    }

    @Test func aFoundClientIsTheSocketThatItWas() throws {
        let order = Recorder<String>()
        bench.main.use { socket in
            order.add("middleware \(socket.id == Self.sid) \(socket.isRecovered)")
            return nil
        }
        bench.main.onConnection { socket in
            order.add("connection \(socket.isRecovered) \(socket.lost?.context as? String ?? "")")
        }
        let session = comeBack()
        let request = try #require(recovery.state.withLockedValue { $0.requests.first })
        #expect(request.sid == Self.sid)
        #expect(request.offset == "place")
        #expect(order.all.isEmpty)
        recovery.finds[0].succeed(Self.lost)
        #expect(session.takeSent().isEmpty)
        let claim = try #require(recovery.claims.first)
        claim.complete(true)
        claim.socket.emit("missed")
        #expect(
            session.takeSent() == [
                #"0{"sid":"\#(Self.sid)","pid":"\#(Self.pid)"}"#, #"2["missed"]"#,
            ])
        #expect(order.all == ["middleware true false", "connection true context"])
        #expect(claim.socket.auth?["token"]?.int == 1)
        #expect(recovery.abandoned.isEmpty)
    }

    @Test(arguments: [nil, LostSocket(isRecoverable: false, context: "known")])
    func whoIsNotFoundIsNew(_ found: LostSocket?) throws {
        let contexts = Recorder<String?>()
        bench.main.onConnection { contexts.add($0.lost?.context as? String) }
        let session = comeBack()
        recovery.finds[0].succeed(found)
        let (sid, pid) = try answer(session)
        #expect(sid != Self.sid)
        #expect(pid != Self.pid)
        #expect(PersistentID.socketID(in: pid ?? "") == sid)
        #expect(contexts.all == [found == nil ? nil : "known"])
        #expect(recovery.claims.isEmpty)
    }

    @Test func aSearchThatFailsIsOneThatFindsNothing() throws {
        let session = comeBack()
        recovery.finds[0].fail(AckError.timeout)
        #expect(try answer(session).sid != Self.sid)
    }

    @Test func aClaimThatIsNotGrantedMakesANewSocket() throws {
        let found = Recorder<Socket>()
        bench.main.use { socket in
            socket.user = "from middleware"
            return nil
        }
        bench.main.onConnection { found.add($0) }
        let session = comeBack()
        recovery.finds[0].succeed(Self.lost)
        recovery.claims[0].complete(false)
        let (sid, pid) = try answer(session)
        #expect(sid != Self.sid)
        #expect(pid != Self.pid)
        let socket = try #require(found.all.first)
        #expect(!socket.isRecovered)
        #expect(socket.user as? String == "from middleware")
        #expect(socket.lost?.context as? String == "context")
        #expect(recovery.claims.count == 1)
    }

    /// Whatever was found for a client that is not there any more is given back, once.
    @Test(arguments: ["search", "middleware", "claim", "refusal"], [false, true])
    func aClientThatVanishesIsReported(at stage: String, cancels: Bool) {
        let gate = bench.loop.makePromise(of: Void.self)
        bench.main.use { _ in gate.futureResult }
        let session = comeBack()
        let vanish = { cancels ? session.receive("1") : session.close(.transportClose) }
        if stage == "search" { vanish() }
        recovery.finds[0].succeed(Self.lost)
        if stage == "middleware" { vanish() }
        if stage == "refusal" {
            gate.fail(ConnectError(message: "no"))
        } else {
            gate.succeed(())
        }
        if stage == "claim" { vanish() }
        for claim in recovery.claims { claim.complete(true) }
        #expect(recovery.claims.count == (stage == "claim" ? 1 : 0))
        #expect(recovery.abandoned == [stage == "claim" ? Self.sid : nil])
        #expect(!session.takeSent().contains { $0.hasPrefix("0") })
        #expect(bench.main.socketCount == 0)
    }

    /// A second attempt of the same connection has nothing to do with what the first looked for.
    @Test func anotherAttemptLooksAnew() throws {
        let session = comeBack("first")
        session.receive("1")
        session.receive(#"0{"pid":"\#(Self.pid)","offset":"second"}"#)
        recovery.finds[0].succeed(Self.lost)
        #expect(recovery.claims.isEmpty)
        #expect(recovery.abandoned == [nil])
        recovery.finds[1].succeed(Self.lost)
        recovery.claims[0].complete(true)
        #expect(try answer(session).sid == Self.sid)
    }

    /// The broken connection ends after its client is back under the same id.
    @Test func theEndOfTheOldSocketLeavesTheNewOneReachable() throws {
        let (old, oldSocket) = bench.connect("old")
        let session = bench.open("new")
        session.receive(
            #"0{"pid":"\#(oldSocket.id).0123456789abcdef0123456789abcdef","offset":"x"}"#)
        recovery.finds[0].succeed(Self.lost)
        recovery.claims[0].complete(true)
        let (sid, _) = try answer(session)
        #expect(sid == oldSocket.id)
        recovery.claims[0].socket.join("room")
        #expect(bench.main.socketCount == 1)
        old.close(.transportClose)
        bench.main.to(sid).emit("one")
        bench.main.to("room").emit("two")
        bench.main.emit("all")
        #expect(session.takeSent() == [#"2["one"]"#, #"2["two"]"#, #"2["all"]"#])
        session.close(.transportClose)
        #expect(bench.main.socketCount == 0)
    }

    // MARK: Offsets

    @Test func anOffsetIsTheLastArgumentForThoseWhoTakePart() {
        let (session, socket) = bench.connect("with")
        recovery.state.withLockedValue { $0.isOffered = false }
        let (plainSession, plainSocket) = bench.connect("without")
        let event = PreparedEvent(
            "edit", [["a": "]"], .attachment(0)], attachments: [ByteBuffer(bytes: [1])],
            offset: #"a"b"#)
        for one in [event, event.at("c"), event.at(nil), event.at(nil).at("d")] {
            socket.send(one)
            plainSocket.send(one)
        }
        let body = #"51-["edit",{"a":"]"},{"_placeholder":true,"num":0}"#
        #expect(
            session.takeSent() == [
                body + #","a\"b"]"#, "<1>", body + #","c"]"#, "<1>", body + "]", "<1>",
                body + #","d"]"#, "<1>",
            ])
        #expect(plainSession.takeSent() == (0..<4).flatMap { _ in [body + "]", "<1>"] })
    }

    @Test func offsetsAreLeftOutWhileTheyAreHeld() {
        let (session, socket) = bench.connect()
        let event = PreparedEvent("e", [], offset: "1")
        let reminder = PreparedEvent("reminder", [], offset: "2")
        socket.holdOffsets("a")
        socket.releaseOffsets("a", reminder: reminder)
        socket.send(event)
        socket.holdOffsets("a")
        socket.send(event)
        socket.releaseOffsets("b", reminder: reminder)
        socket.send(event)
        socket.releaseOffsets("a", reminder: reminder)
        socket.send(event)
        #expect(
            session.takeSent() == [
                #"2["e","1"]"#, #"2["e"]"#, #"2["e"]"#, #"2["reminder","2"]"#, #"2["e","1"]"#,
            ])
    }
}
