import JSON
import NIOCore
import SocketIOServer
import Testing

@testable import Relay

@Suite struct RequestTests {
    private static let target = BroadcastTarget(rooms: ["b", "a"], except: ["x"])
    private static let options = #"{"rooms":["a","b"],"except":["x"]}"#

    @Test(
        "requests are written as the official adapter writes them",
        arguments: [
            (
                nil, .join(.target(target), rooms: ["r"]),
                #""type":2,"opts":\#(options),"rooms":["r"]"#
            ),
            (
                nil, .leave(.target(target), rooms: ["r"]),
                #""type":3,"opts":\#(options),"rooms":["r"]"#
            ),
            (
                nil, .disconnect(.target(target), closesTransport: true),
                #""type":4,"opts":\#(options),"close":true"#
            ),
            ("q", .fetch(target), #""requestId":"q","type":5,"opts":\#(options)"#),
            ("q", .allRooms, #""requestId":"q","type":1"#),
            ("q", .sockets(rooms: ["a"]), #""requestId":"q","type":0,"rooms":["a"]"#),
            (
                "q", .join(.socket("s"), rooms: ["r"]),
                #""requestId":"q","type":2,"sid":"s","room":"r""#
            ),
            (
                nil, .serverSideEmit(event: "e", arguments: [.emptyObject]),
                #""type":6,"data":["e",{}]"#
            ),
        ] as [(String?, RelayRequest.Body, String)])
    func written(_ id: String?, _ body: RelayRequest.Body, _ members: String) throws {
        let request = RelayRequest(uid: "u", id: id, body: body)
        let bytes = try #require(request.encoded)
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"uid":"u",\#(members)}"#)
        let read = try RelayRequest(decoding: bytes[...])
        #expect(read.uid == "u")
        #expect(read.id == id)
        #expect(read.encoded == bytes)
    }

    @Test("an emitter's request has no uid and may name everybody")
    func emitter() throws {
        let text = #"{"type":2,"opts":{"rooms":[],"except":[]},"rooms":["r",5]}"#
        let request = try RelayRequest(decoding: Array(text.utf8)[...])
        #expect(request.uid == nil)
        guard case .join(.target(let target), let rooms) = request.body else {
            return #expect(Bool(false), "another body")
        }
        #expect(target == BroadcastTarget())
        #expect(rooms == ["r", "5"])
    }

    @Test(
        "what is no request is refused",
        arguments: [
            (#"{"#, nil), (#"{}"#, .member("type")), (#"{"type":"2"}"#, .member("type")),
            (#"{"type":99}"#, .unknownType), (#"{"type":-1}"#, .unknownType),
            (#"{"type":9,"requestId":"q"}"#, .unknownType), (#"{"type":2}"#, .member("sid")),
            (#"{"type":5}"#, .member("opts")), (#"{"type":6,"data":[]}"#, .member("data")),
            ("\u{0}", .messagePack(MessagePackError(.shape, at: 1))),
        ] as [(String, RelayMessageError?)])
    func refused(_ text: String, _ error: RelayMessageError?) {
        #expect {
            try RelayRequest(decoding: Array(text.utf8)[...])
        } throws: { thrown in
            error.map { $0 == thrown as? RelayMessageError } ?? (thrown is RelayMessageError)
        }
    }

    @Test("a broadcast to acknowledge is MessagePack, byte for byte, and read back")
    func broadcast() throws {
        let event = BroadcastToAcknowledge(
            namespace: "/", event: "e", arguments: [.attachment(0)],
            attachments: [ByteBuffer(bytes: [9])], target: BroadcastTarget(rooms: ["r"]),
            timeoutMilliseconds: 1_000)
        let request = RelayRequest(uid: "u", id: "q", body: .broadcast(event))
        let expected: [UInt8] = bytes(
            0x85, 0xA3, "uid", 0xA1, 0x75, 0xA9, "requestId", 0xA1, 0x71, 0xA4, "type",
            0x07, 0xA6, "packet", 0x83, 0xA4, "type", 0x02, 0xA4, "data", 0x92, 0xA1, 0x65,
            0xC4, 0x01, 0x09, 0xA3, "nsp", 0xA1, 0x2F, 0xA4, "opts", 0x83, 0xA5, "rooms",
            0x91, 0xA1, 0x72, 0xA6, "except", 0x90, 0xA5, "flags", 0x81, 0xA7, "timeout",
            0xCD, 0x03, 0xE8)
        let bytes = try #require(request.encoded)
        #expect(bytes == expected)
        #expect(try RelayRequest(decoding: bytes[...]).encoded == expected)
    }

    @Test("another request in MessagePack is read like its JSON")
    func otherInMessagePack() throws {
        let value = MessagePackValue.map([.init("type", .int(1)), .init("requestId", .string("q"))])
        let request = try RelayRequest(decoding: value.encoded[...])
        guard case .allRooms = request.body else { return #expect(Bool(false), "another body") }
        #expect(request.id == "q")
    }

    @Test("responses are written as the official adapter writes them, and read back")
    func responses() throws {
        var rooms = RelayResponse(id: "q")
        rooms.rooms = ["a"]
        var sockets = RelayResponse(id: "q")
        sockets.sockets = [try JSONText(text: #"{"id":"s"}"#)]
        var count = RelayResponse(id: "q")
        count.type = .broadcastClientCount
        count.clientCount = 3
        var answer = RelayResponse(id: "q")
        answer.type = .serverSideEmit
        answer.data = try JSONText(text: "1")
        let expected = [
            (rooms, #"{"requestId":"q","rooms":["a"]}"#),
            (sockets, #"{"requestId":"q","sockets":[{"id":"s"}]}"#),
            (count, #"{"type":8,"requestId":"q","clientCount":3}"#),
            (answer, #"{"type":6,"requestId":"q","data":1}"#),
            (RelayResponse(id: "q"), #"{"requestId":"q"}"#),
        ]
        for (response, text) in expected {
            #expect(String(decoding: response.encoded, as: UTF8.self) == text)
            #expect(try RelayResponse(decoding: Array(text.utf8)[...]) == response)
        }
    }

    @Test("an acknowledgement is MessagePack and may carry a binary, or nothing")
    func acknowledgement() throws {
        var response = RelayResponse(id: "q")
        response.type = .broadcastAck
        response.acknowledgement = EventArguments(
            [JSONValue.attachment(0).json], attachments: [ByteBuffer(bytes: [7])])
        let head: [UInt8] = bytes(
            0x83, 0xA4, "type", 0x09, 0xA9, "requestId", 0xA1, 0x71, 0xA6, "packet")
        #expect(response.encoded == head + [0xC4, 0x01, 0x07])
        #expect(try RelayResponse(decoding: response.encoded[...]) == response)
        response.acknowledgement = EventArguments([])
        #expect(response.encoded == head + [0xD4, 0x00, 0x00])
        #expect(try RelayResponse(decoding: response.encoded[...]) == response)
    }

    @Test("a count of clients beyond any server's is not believed")
    func absurdCount() throws {
        for count in ["-1", "9223372036854775807", "1.5"] {
            let text = #"{"type":8,"requestId":"q","clientCount":\#(count)}"#
            #expect(try RelayResponse(decoding: Array(text.utf8)[...]).clientCount == nil)
        }
    }
}
