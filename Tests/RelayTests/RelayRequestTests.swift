import JSON
import NIOConcurrencyHelpers
import NIOCore
import Redis
import SocketIOServer
import TestKit
import Testing

@testable import Relay

/// Requests and responses over a real Redis.
@Suite(.serialized) struct RelayRequestTests {
    private static let requests = "socket.io-request#/#"

    @Test("an emitter makes sockets join and leave rooms, and disconnects them")
    func emitterRequests() async throws {
        try await withServers(1) { servers, outsider, _ in
            let client = try await servers[0].connect()
            let other = try await servers[0].connect()
            let options = #""opts":{"rooms":["\#(client.socket.id)"],"except":[]}"#
            try await outsider.publish(
                #"{"type":2,\#(options),"rooms":["r","s"]}"#, on: Self.requests)
            try await outsider.emit("joined", to: ["r"], channel: "socket.io#/#r#")
            try await expectSent([#"2["joined"]"#], by: client)
            try await outsider.publish(#"{"type":3,\#(options),"rooms":["r"]}"#, on: Self.requests)
            try await eventually("left") {
                servers[0].relay["/"]?.rooms.contains("r") == false
            }
            try await outsider.publish(
                #"{"type":4,\#(options),"close":false}"#, on: Self.requests)
            try await expectSent([#"2["joined"]"#, "1"], by: client)
            #expect(client.session.isOpen)
            try await outsider.publish(
                #"{"type":4,"opts":{"rooms":[],"except":[]},"close":true}"#, on: Self.requests)
            try await eventually("closed") { other.session.closed == .forcedClose }
            let rooms = try servers[0].adapter.rooms.names
            #expect(rooms.isEmpty)
        }
    }

    @Test("join, leave and disconnect of one server reach the sockets of all")
    func clusterWide() async throws {
        try await withServers(2) { servers, _, _ in
            let here = try await servers[0].connect()
            let there = try await servers[1].connect()
            let adapter = try servers[0].adapter
            try await adapter.socketsJoin(["r"], in: BroadcastTarget()).get()
            servers[0].main.to("r").emit("one")
            let others = BroadcastTarget(rooms: ["r"], except: [here.socket.id])
            try await adapter.socketsLeave(["r"], in: others).get()
            servers[0].main.to("r").emit("two")
            let both = BroadcastTarget(rooms: [here.socket.id, there.socket.id])
            try await adapter.disconnectSockets(in: both).get()
            try await expectSent([#"2["one"]"#, #"2["two"]"#, "1"], by: here)
            try await expectSent([#"2["one"]"#, "1"], by: there)
            #expect(servers[1].main.socketCount == 0)
        }
    }

    @Test("what is sent after a change of rooms finds it made, on every loop")
    func order() async throws {
        try await withServers(1) { servers, outsider, _ in
            var clients: [Client] = []
            for _ in 0..<6 { clients.append(try await servers[0].connect()) }
            let everybody = #""opts":{"rooms":[],"except":[]}"#
            var expected: [String] = []
            for round in 0..<20 {
                for isJoin in [true, false] {
                    let request =
                        #"{"type":\#(isJoin ? 2 : 3),\#(everybody),"rooms":["r"]}"#
                    outsider.post(Array(request.utf8), on: Self.requests)
                    let event = Outsider.emitter("\(round) \(isJoin)", to: ["r"])
                    outsider.post(event, on: "socket.io#/#r#")
                }
                expected.append(#"2["\#(round) true"]"#)
            }
            for client in clients { try await expectSent(expected, by: client) }
        }
    }

    @Test("official requests are answered on the response channel, in the official words")
    func officialRequests() async throws {
        try await withServers(1) { servers, outsider, _ in
            let client = try await servers[0].connect()
            let id = client.socket.id
            try await client.join("r")
            try await outsider.hear("socket.io-response#/#*")
            let requests = [
                #"{"type":0,"requestId":"q0","rooms":["r"]}"#,
                #"{"uid":"n","type":1,"requestId":"q1"}"#,
                #"{"type":2,"requestId":"q2","sid":"\#(id)","room":"s"}"#,
                #"{"type":2,"requestId":"none","sid":"unknown","room":"s"}"#,
                #"{"uid":"n","type":5,"requestId":"q5","opts":{"rooms":["s"],"except":[]}}"#,
            ]
            for (index, request) in requests.enumerated() {
                try await outsider.publish(request, on: Self.requests)
                let expected = index + 1 - (index >= 3 ? 1 : 0)
                try await eventually("answered") { outsider.messages.count == expected }
            }
            let texts = outsider.messages.map { String(decoding: $0.payload, as: UTF8.self) }
            #expect(texts[0] == #"{"requestId":"q0","sockets":["\#(id)"]}"#)
            let rooms = try RelayResponse(decoding: Array(texts[1].utf8)[...]).rooms
            #expect(Set(rooms ?? []) == ["r", id])
            #expect(texts[2] == #"{"requestId":"q2"}"#)
            let response = try RelayResponse(decoding: Array(texts[3].utf8)[...])
            let found = try #require(response.sockets?.first.flatMap { RemoteSocket($0) })
            #expect(found.id == id)
            #expect(found.rooms == ["r", "s", id])
            #expect(found.handshake["headers"]?["x-page"]?.string == "1")
            #expect(found.handshake["query"]?["roomId"]?.string == "a")
            #expect(!texts[3].contains("secret"), "a cookie must not go through Redis")
            #expect(Set(outsider.messages.map(\.channel)) == ["socket.io-response#/#"])
        }
    }

    @Test("answers go to the asking server alone where both agree on that")
    func directResponses() async throws {
        try await withServers(2, { $0.respondsDirectly = true }) { servers, outsider, _ in
            try await outsider.hear("socket.io-response#/#*")
            let rooms = try await servers[0].adapter.allRooms().get()
            #expect(rooms.isComplete)
            let uid = try servers[0].adapter.uid
            try await eventually("heard") { outsider.messages.count == 1 }
            #expect(outsider.messages[0].channel == "socket.io-response#/#\(uid)#")
        }
    }

    @Test("rooms, sockets and servers are those of all servers")
    func lists() async throws {
        try await withServers(3) { servers, _, _ in
            var ids: [String] = []
            for server in servers {
                let client = try await server.connect()
                try await client.join("all", "r\(ids.count)")
                ids.append(client.socket.id)
            }
            let adapter = try servers[0].adapter
            #expect(try await adapter.serverCount().get() == 3)
            let rooms = try await adapter.allRooms().get()
            #expect(rooms.isComplete)
            #expect(rooms.values == (["all", "r0", "r1", "r2"] + ids).sorted())
            let target = BroadcastTarget(rooms: ["all"], except: ["r1"])
            let sockets = try await adapter.fetchSockets(in: target).get()
            #expect(sockets.isComplete)
            #expect(Set(sockets.values.map(\.id)) == [ids[0], ids[2]])
        }
    }

    @Test("a server that does not answer leaves the answer incomplete, in time")
    func silentServer() async throws {
        try await withServers(1, { $0.limits.requestTimeout = .milliseconds(100) }) {
            servers, outsider, _ in
            try await outsider.client.subscribe(Self.requests) { _ in }.get()
            let client = try await servers[0].connect()
            let rooms = try await servers[0].adapter.allRooms().get()
            #expect(rooms.values == [client.socket.id])
            #expect(!rooms.isComplete)
        }
    }

    @Test("an event for servers reaches the others' applications, which may answer")
    func serverSideEmit() async throws {
        try await withServers(3) { servers, outsider, _ in
            let heard = NIOLockedValueBox<[String]>([])
            for (index, server) in servers.enumerated() {
                try server.adapter.onServerSideEmit { event in
                    let text = "\(index) \(event.name) \(event.arguments.map(\.text))"
                    heard.withLockedValue { $0.append(text) }
                    event.respond?(.integer(index))
                    event.respond?("a second answer")
                }
            }
            let adapter = try servers[0].adapter
            adapter.serverSideEmit("told", ["x"])
            let answers = try await adapter.serverSideEmitWithAnswers("asked", []).get()
            #expect(answers.isComplete)
            #expect(Set(answers.values.map(\.text)) == ["1", "2"])
            try await outsider.publish(
                #"{"uid":"emitter","type":6,"data":["all"]}"#, on: Self.requests)
            try await eventually("heard") { heard.withLockedValue { $0.count } == 7 }
            #expect(
                Set(heard.withLockedValue { $0 }) == [
                    #"1 told ["\"x\""]"#, #"2 told ["\"x\""]"#, "1 asked []", "2 asked []",
                    "0 all []", "1 all []", "2 all []",
                ])
        }
    }

    @Test("a broadcast collects the answers of the clients of all servers")
    func broadcastWithAnswers() async throws {
        try await withServers(2) { servers, _, _ in
            let here = try await servers[0].connect()
            let there = try await servers[1].connect()
            let left = try await servers[1].connect()
            let adapter = try servers[0].adapter
            let future = adapter.broadcastWithAnswers(
                "q", [1], to: BroadcastTarget(except: [left.socket.id]), timeout: .seconds(10))
            for (name, client) in [("here", here), ("there", there)] {
                try await eventually("asked") { client.sent.last == #"20["q",1]"# }
                client.session.receive(#"30["\#(name)"]"#)
            }
            let answers = try await future.get()
            #expect(answers.isComplete)
            #expect(Set(answers.values.map { $0.first?.string }) == ["here", "there"])
            #expect(left.sent.count == 1)
        }
    }

    @Test(
        "clients that do not answer leave a broadcast incomplete; no client at all ends it at once")
    func unanswered() async throws {
        try await withServers(2) { servers, _, _ in
            let adapter = try servers[0].adapter
            let nobody = try await adapter.broadcastWithAnswers(
                "q", [], to: BroadcastTarget(rooms: ["empty"]), timeout: .seconds(30)
            ).get()
            #expect(nobody.isComplete)
            #expect(nobody.values.isEmpty)
            _ = try await servers[1].connect()
            let silent = try await adapter.broadcastWithAnswers(
                "q", [], to: BroadcastTarget(), timeout: .milliseconds(100)
            ).get()
            #expect(!silent.isComplete)
            #expect(silent.values.isEmpty)
        }
    }

    @Test("an official broadcast with acknowledgement is counted, and answered in MessagePack")
    func officialBroadcastWithAck() async throws {
        try await withServers(1) { servers, outsider, _ in
            let client = try await servers[0].connect()
            try await outsider.hear("socket.io-response#/#*")
            let event = BroadcastToAcknowledge(
                namespace: "/", event: "q", arguments: [], target: BroadcastTarget(),
                timeoutMilliseconds: .max)
            let request = RelayRequest(uid: "node", id: "q7", body: .broadcast(event))
            try await outsider.publish(try #require(request.encoded), on: Self.requests)
            try await eventually("asked") { client.sent.last == #"20["q"]"# }
            client.session.receive("30[7]")
            try await eventually("answered") { outsider.messages.count == 2 }
            #expect(
                String(decoding: outsider.messages[0].payload, as: UTF8.self)
                    == #"{"type":8,"requestId":"q7","clientCount":1}"#)
            let answer: [UInt8] = bytes(
                0x83, 0xA4, "type", 0x09, 0xA9, "requestId", 0xA2, "q7", 0xA6, "packet", 0x07)
            #expect(outsider.messages[1].payload == answer)
        }
    }

    @Test("a namespace forgets the rooms of sockets that left")
    func noLeak() async throws {
        try await withServers(1) { servers, _, _ in
            let first = try await servers[0].connect()
            let second = try await servers[0].connect()
            try await first.join("r", "r", "s")
            try await second.join("r")
            try await first.close()
            #expect(Set(try servers[0].adapter.rooms.names) == ["r", second.socket.id])
            try await second.close()
            #expect(try servers[0].adapter.rooms.names.isEmpty)
        }
    }
}
