import JSON
import NIOCore
import SocketIOServer
import Testing

@testable import Relay

/// Bytes written by hand from the format of the official adapter.
@Suite struct BroadcastMessageTests {
    /// `{"type":2,"data":["hi",1],"nsp":"/"}`
    private static let packet: [UInt8] = bytes(
        0x83, 0xA4, "type", 0x02, 0xA4, "data", 0x92, 0xA2, "hi", 0x01, 0xA3, "nsp",
        0xA1, 0x2F)

    private static func decode(
        _ bytes: [UInt8], namespace: String = "/", ignoring uid: String = "me"
    ) throws -> BroadcastMessage? {
        try BroadcastMessage.decode(bytes[...], namespace: namespace) { $0 == uid }
    }

    @Test("a broadcast is written byte for byte as the official adapter writes it")
    func encoded() throws {
        let expected: [UInt8] =
            bytes(
                0x93, 0xA6, "abc123") + Self.packet
            + bytes(
                0x83, 0xA5, "rooms", 0x91, 0xA1, "r", 0xA6, "except", 0x92, 0xA1, "x",
                0xA1, "y", 0xA5, "flags", 0x81, 0xA8, "volatile", 0xC3)
        let target = BroadcastTarget(rooms: ["r"], except: ["y", "x"], isVolatile: true)
        let bytes = BroadcastMessage.encode(PreparedEvent("hi", [1]), to: target, uid: "abc123")
        #expect(bytes == expected)
    }

    @Test("a broadcast to everybody has no rooms; one to an empty list of rooms is not published")
    func everybodyAndNobody() throws {
        let event = PreparedEvent("hi", [1])
        let expected: [UInt8] =
            bytes(
                0x93, 0xA1, 0x75) + Self.packet
            + bytes(
                0x83, 0xA5, "rooms", 0x90, 0xA6, "except", 0x90, 0xA5, "flags", 0x80)
        #expect(BroadcastMessage.encode(event, to: BroadcastTarget(), uid: "u") == expected)
        #expect(BroadcastMessage.encode(event, to: BroadcastTarget(rooms: []), uid: "u") == nil)
    }

    @Test("attachments travel as binaries inside the data, in any namespace")
    func attachments() throws {
        let event = PreparedEvent(
            "pic", [.object(["a-b": .attachment(0)]), .attachment(1)], namespace: "/x",
            attachments: [ByteBuffer(bytes: [1, 2]), ByteBuffer(bytes: [])])
        let bytes = try #require(
            BroadcastMessage.encode(event, to: BroadcastTarget(), uid: "u"))
        let value = try MessagePackValue(decoding: bytes[...])
        let packet = try #require(value.array?[1])
        #expect(packet["nsp"] == .string("/x"))
        #expect(
            packet["data"]
                == .array([
                    .string("pic"), .map([.init("a-b", .binary([1, 2]))]), .binary([]),
                ]))
        let decoded = try #require(try Self.decode(bytes, namespace: "/x"))
        #expect(
            String(buffer: decoded.event.message.text)
                == #"52-/x,["pic",{"a-b":{"_placeholder":true,"num":0}},"#
                + #"{"_placeholder":true,"num":1}]"#)
        #expect(
            decoded.event.message.attachments.map { Array($0.readableBytesView) } == [[1, 2], []])
    }

    @Test("an emitter's message is read: its uid, its order of options, numbers as rooms")
    func emitter() throws {
        let bytes: [UInt8] =
            bytes(
                0x93, 0xA7, "emitter") + Self.packet
            + bytes(
                0x83, 0xA5, "rooms", 0x92, 0xA1, "r", 0x07, 0xA5, "flags", 0x82, 0xA8,
                "compress", 0xC2, 0xA8, "volatile", 0xC3, 0xA6, "except", 0x91, 0xA1, "x")
        let message = try #require(try Self.decode(bytes))
        #expect(message.uid == "emitter")
        #expect(String(buffer: message.event.message.text) == #"2["hi",1]"#)
        #expect(
            message.target
                == BroadcastTarget(rooms: ["r", "7"], except: ["x"], isVolatile: true))
    }

    @Test("own messages, other namespaces and packets that are no events are left alone")
    func leftAlone() throws {
        let everybody = BroadcastTarget()
        let own = BroadcastMessage.encode(PreparedEvent("hi", []), to: everybody, uid: "me")
        #expect(try Self.decode(try #require(own)) == nil)
        let other = BroadcastMessage.encode(
            PreparedEvent("hi", [], namespace: "/other"), to: everybody, uid: "u")
        #expect(try Self.decode(try #require(other)) == nil)
        let disconnect = MessagePackValue.array([
            .string("u"), .map([.init("type", .int(1)), .init("nsp", .string("/"))]), .map([]),
        ])
        #expect(try Self.decode(disconnect.encoded) == nil)
    }

    @Test("old servers are understood: type 5, no namespace, null for no rooms")
    func oldServers() throws {
        let message = MessagePackValue.array([
            .string("u"),
            .map([.init("type", .int(5)), .init("data", .array([.string("e"), .binary([1])]))]),
            .map([.init("rooms", .null), .init("except", .undefined)]),
        ])
        let decoded = try #require(try Self.decode(message.encoded))
        #expect(decoded.target == BroadcastTarget())
        #expect(
            String(buffer: decoded.event.message.text)
                == #"51-["e",{"_placeholder":true,"num":0}]"#)
    }

    @Test(
        "a message of another shape is refused",
        arguments: [
            .null, .array([]), .array([.string("u"), .map([])]),
            .array([.int(1), .map([]), .map([])]), .array([.string("u"), .null, .map([])]),
            .array([.string("u"), packet(.array([])), .map([])]),
            .array([.string("u"), packet(.array([.int(1)])), .map([])]),
            .array([.string("u"), packet(.string("e")), .map([])]),
            .array([.string("u"), packet(.array([.string("disconnect")])), .map([])]),
            .array([.string("u"), packet(.array([.string("e")])), .null]),
            .array([
                .string("u"), packet(.array([.string("e")])), .map([.init("rooms", .int(1))]),
            ]),
            .array([
                .string("u"), packet(.array([.string("e")])),
                .map([.init("rooms", .array([.null]))]),
            ]),
        ] as [MessagePackValue])
    func refused(_ value: MessagePackValue) {
        #expect(throws: MessagePackError.self) { try Self.decode(value.encoded) }
    }

    private static func packet(_ data: MessagePackValue) -> MessagePackValue {
        .map([.init("type", .int(2)), .init("data", data), .init("nsp", .string("/"))])
    }

    @Test("channels carry the names of the official adapter")
    func channels() {
        let channels = RelayChannels(namespace: "/")
        #expect(channels.broadcast == "socket.io#/#")
        #expect(channels.request == "socket.io-request#/#")
        #expect(channels.response == "socket.io-response#/#")
        #expect(channels.response(for: "u1") == "socket.io-response#/#u1#")
        #expect(channels.broadcastPattern == "socket.io#/#*")
        #expect(channels.broadcast(to: nil) == "socket.io#/#")
        #expect(channels.broadcast(to: ["r#1"]) == "socket.io#/#r#1#")
        #expect(channels.broadcast(to: ["a", "b"]) == "socket.io#/#")
        #expect(channels.room(of: "socket.io#/#r#1#") == "r#1")
        #expect(channels.room(of: "socket.io#/#") == "")
        #expect(channels.room(of: "socket.io#/other#") == nil)
        #expect(RelayChannels(namespace: "/a*[b]").broadcastPattern == #"socket.io#/a\*\[b\]#*"#)
    }
}
