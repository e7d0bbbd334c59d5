import JSON
import NIOCore
import Redis
import SocketIOServer
import TestKit
import Testing

@testable import Relay

/// Over a real Redis. `end` is broadcast last: what has not come before it does not come.
@Suite(.serialized) struct RelayBroadcastTests {
    @Test("bytes that the official emitter publishes reach the clients of the room, and no others")
    func officialBytes() async throws {
        try await withServers(1) { servers, outsider, _ in
            let inside = try await servers[0].connect()
            let outside = try await servers[0].connect()
            try await inside.join("r")
            let bytes: [UInt8] = bytes(
                0x93, 0xA7, "emitter", 0x83, 0xA4, "type", 0x02, 0xA4, "data", 0x93, 0xA5,
                "hello", 0x81, 0xA1, 0x61, 0x01, 0xC4, 0x02, 0x05, 0x06, 0xA3, "nsp", 0xA1,
                0x2F, 0x83, 0xA5, "rooms", 0x91, 0xA1, 0x72, 0xA5, "flags", 0x80, 0xA6,
                "except", 0x90)
            try await outsider.publish(bytes, on: "socket.io#/#r#")
            try await outsider.emit("end", channel: "socket.io#/#")
            try await expectSent(
                [#"51-["hello",{"a":1},{"_placeholder":true,"num":0}]"#, "<5,6>", #"2["end"]"#],
                by: inside)
            try await expectSent([#"2["end"]"#], by: outside)
            #expect(servers[0].relay.metrics.delivered == 2)
        }
    }

    @Test("two servers exchange broadcasts with rooms, exceptions and attachments, each once")
    func exchange() async throws {
        try await withServers(2) { servers, _, _ in
            let first = try await servers[0].connect()
            let second = try await servers[1].connect()
            let third = try await servers[1].connect()
            try await first.join("r")
            try await second.join("r", "s")
            try await third.join("s")
            servers[0].main.to("r").emit("one", 1)
            servers[0].main.to(["r", "s"]).except(second.socket.id).emit("two")
            servers[0].main.except("s").emit("three")
            servers[0].main.to(third.socket.id).emit(
                "four", arguments: [.attachment(0)], attachments: [ByteBuffer(bytes: [1])])
            servers[0].main.to([]).emit("nobody")
            servers[0].main.emit("end")
            try await expectSent(
                [#"2["one",1]"#, #"2["two"]"#, #"2["three"]"#, #"2["end"]"#], by: first)
            try await expectSent([#"2["one",1]"#, #"2["end"]"#], by: second)
            let four = [#"51-["four",{"_placeholder":true,"num":0}]"#, "<1>"]
            try await expectSent([#"2["two"]"#] + four + [#"2["end"]"#], by: third)
        }
    }

    @Test("a volatile broadcast of another server is dropped for a client that reads too slowly")
    func volatile() async throws {
        try await withServers(2) { servers, _, _ in
            let slow = try await servers[1].connect()
            let fast = try await servers[1].connect()
            slow.session.bufferedBytes = SocketLimits().volatileBufferBytes + 1
            servers[0].main.volatile.emit("cursor")
            servers[0].main.emit("end")
            try await expectSent([#"2["cursor"]"#, #"2["end"]"#], by: fast)
            try await expectSent([#"2["end"]"#], by: slow)
        }
    }

    @Test("with publishing off broadcasts stay here; a mirrored one goes to other kinds of server")
    func mirror() async throws {
        try await withServers(2, publishes: false) { servers, outsider, _ in
            let own = try await servers[0].connect()
            let peer = try await servers[1].connect()
            try await outsider.hear("socket.io#/#*")
            servers[0].main.emit("local")
            let event = PreparedEvent("edit", [["v": 1]])
            servers[0].relay.mirror(event, to: BroadcastTarget(rooms: ["room:x"]))
            try await eventually("heard") { !outsider.messages.isEmpty }
            try await outsider.emit("end", channel: "socket.io#/#")
            try await expectSent([#"2["local"]"#, #"2["end"]"#], by: own)
            try await expectSent([#"2["end"]"#], by: peer)
            let message = try #require(outsider.messages.first)
            #expect(message.channel == "socket.io#/#room:x#")
            let value = try MessagePackValue(decoding: message.payload[...])
            #expect(value.array?.first == .string("tandem"))
            #expect(
                value.array?[1]["data"]
                    == .array([.string("edit"), .map([.init("v", .int(1))])]))
        }
    }

    @Test("malformed messages on every channel are counted and change nothing")
    func malformed() async throws {
        try await withServers(1) { servers, outsider, _ in
            let client = try await servers[0].connect()
            for channel in ["socket.io#/#", "socket.io-request#/#"] {
                for bytes in [[], [0xC1], [0x93, 0xA1], Array("{\"type\":".utf8)] as [[UInt8]] {
                    try await outsider.publish(bytes, on: channel)
                }
            }
            try await outsider.emit("end", channel: "socket.io#/#")
            try await expectSent([#"2["end"]"#], by: client)
            #expect(servers[0].relay.metrics.malformed == 8)
        }
    }

    @Test("a message beyond the limit is neither published nor delivered")
    func tooLarge() async throws {
        try await withServers(
            2,
            { options in
                options.limits.maxPublishedBytes = 200
                options.limits.message.maxBytes = 150
            }
        ) { servers, _, _ in
            let client = try await servers[1].connect()
            servers[0].main.emit("a", .string(String(repeating: "x", count: 300)))
            servers[0].main.emit("b", .string(String(repeating: "x", count: 120)))
            servers[0].main.emit("end")
            try await expectSent([#"2["end"]"#], by: client)
            #expect(servers[0].relay.metrics.unpublished == 1)
            #expect(servers[1].relay.metrics.malformed == 1)
        }
    }

    @Test("without Redis broadcasts go on here, and none of them comes late to the others")
    func lostRedis() async throws {
        try await withServers(2) { servers, _, redis in
            let here = try await servers[0].connect()
            let there = try await servers[1].connect()
            redis.kill()
            try await eventually("down") { servers.allSatisfy { !$0.redis.status.state.isReady } }
            servers[0].main.emit("alone")
            let rooms = try await servers[0].adapter.allRooms().get()
            #expect(!rooms.isComplete)
            #expect(rooms.values == [here.socket.id])
            try redis.start()
            for server in servers { try await server.isReady() }
            servers[0].main.emit("end")
            try await expectSent([#"2["alone"]"#, #"2["end"]"#], by: here)
            try await expectSent([#"2["end"]"#], by: there)
            #expect(servers[0].relay.metrics.unpublished == 1)
        }
    }

    @Test("a relay that was stopped hears nothing; broadcasts of the process go on")
    func stopped() async throws {
        try await withServers(2) { servers, _, _ in
            let client = try await servers[1].connect()
            let witness = try await servers[0].connect()
            servers[1].relay.stop()
            try await servers[1].redis.eventLoop.submit {}.get()
            servers[0].main.emit("unheard")
            servers[1].main.emit("end")
            try await expectSent([#"2["end"]"#], by: client)
            try await expectSent([#"2["unheard"]"#, #"2["end"]"#], by: witness)
        }
    }
}
