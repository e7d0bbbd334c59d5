import JSON
import Testing

@testable import SocketIO

@Suite("Packet decoder")
struct PacketDecoderTests {
    /// Packets of the protocol document's examples and around them.
    static let packets: [(String, Packet)] = {
        func payload(_ text: String) -> JSONText { JSONText(unchecked: Array(text.utf8)[...]) }
        return [
            ("0", Packet(.connect)),
            ("0{\"token\":1}", Packet(.connect, payload: payload("{\"token\":1}"))),
            ("0/admin,", Packet(.connect, namespace: "/admin")),
            ("0/admin", Packet(.connect, namespace: "/admin")),
            ("0/admin,{}", Packet(.connect, namespace: "/admin", payload: payload("{}"))),
            ("1", Packet(.disconnect)), ("1/admin,", Packet(.disconnect, namespace: "/admin")),
            ("2[\"foo\"]", Packet(.event, payload: payload("[\"foo\"]"))),
            ("2[1,2]", Packet(.event, payload: payload("[1,2]"))),
            ("212[\"foo\"]", Packet(.event, id: 12, payload: payload("[\"foo\"]"))),
            (
                "2/a b,0[\"foo\", null ]",
                Packet(.event, namespace: "/a b", id: 0, payload: payload("[\"foo\", null ]"))
            ),
            (
                "29007199254740992[\"f\"]",
                Packet(.event, id: 9_007_199_254_740_992, payload: payload("[\"f\"]"))
            ),
            ("313[]", Packet(.ack, id: 13, payload: payload("[]"))),
            ("3/admin,1[2]", Packet(.ack, namespace: "/admin", id: 1, payload: payload("[2]"))),
            ("4\"no\"", Packet(.connectError, payload: payload("\"no\""))),
            (
                "4{\"message\":\"no\"}",
                Packet(.connectError, payload: payload("{\"message\":\"no\"}"))
            ),
            ("50-[\"foo\"]", Packet(.event, payload: payload("[\"foo\"]"))),
        ]
    }()

    @Test("A packet without attachments is decoded at once", arguments: packets)
    func decodes(_ text: String, _ packet: Packet) throws {
        var decoder = PacketDecoder()
        #expect(try decoder.receivedText(bytes(text)) == packet)
        #expect(!decoder.isAwaitingAttachments)
    }

    static let refused: [(String, PacketError)] = [
        ("", .empty), ("7", .unknownType), ("a", .unknownType), ("-1", .unknownType),
        ("é", .unknownType), ("2", .payload),
        ("2[", .json(JSONError(offset: 1, reason: .truncated))),
        ("2{}", .payload), ("2[]", .payload), ("2[{}]", .payload), ("2[null]", .payload),
        ("2[[\"foo\"]]", .payload), ("2\"foo\"", .payload), ("3[]", .ackID), ("31", .payload),
        ("31{}", .payload), ("0\"a\"", .payload), ("0[]", .payload), ("0null", .payload),
        ("1{}", .payload), ("1[]", .payload), ("4", .payload), ("4[]", .payload),
        ("41", .payload), ("2[\"connect\"]", .reservedEvent),
        ("2[\"connect_error\"]", .reservedEvent), ("2[\"disconnect\"]", .reservedEvent),
        ("2[\"disconnecting\"]", .reservedEvent), ("2[\"newListener\"]", .reservedEvent),
        ("2[\"removeListener\"]", .reservedEvent), (#"2["\u0063onnect"]"#, .reservedEvent),
        ("29007199254740993[\"f\"]", .ackID), ("299999999999999999999999[\"f\"]", .ackID),
        ("5[\"f\"]", .attachmentCount), ("5-[\"f\"]", .attachmentCount),
        ("51[\"f\"]", .attachmentCount), ("51.5-[\"f\"]", .attachmentCount),
        ("5+1-[\"f\"]", .attachmentCount), ("511-[\"f\"]", .tooManyAttachments),
        ("599999999999999999999-[\"f\"]", .tooManyAttachments), ("51-", .payload),
        ("60-[]", .ackID), ("2/\(String(repeating: "n", count: 300)),[\"f\"]", .namespace),
        ("2[\"\(String(repeating: "n", count: 300))\"]", .eventName),
        ("2[\"f\"] x", .json(JSONError(offset: 6, reason: .trailing))),
        ("2 [\"f\"", .json(JSONError(offset: 5, reason: .truncated))),
    ]

    @Test("What is no packet is refused, and so is everything after it", arguments: refused)
    func refuses(_ text: String, _ error: PacketError) {
        var decoder = PacketDecoder()
        #expect(throws: error) { try decoder.receivedText(bytes(text)) }
        #expect(throws: error) { try decoder.receivedText(bytes("2[\"ok\"]")) }
        #expect(throws: error) { try decoder.receivedBinary(bytes("x")) }
    }

    @Test("Attachments complete a packet in their order")
    func attachments() throws {
        var decoder = PacketDecoder()
        let event =
            #"52-/a,7["up",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]"#
        #expect(try decoder.receivedText(bytes(event)) == nil)
        #expect(decoder.isAwaitingAttachments)
        #expect(try decoder.receivedBinary([1, 2]) == nil)
        let packet = try #require(try decoder.receivedBinary([]))
        #expect(packet.type == .event)
        #expect(packet.namespace == "/a")
        #expect(packet.id == 7)
        #expect(packet.attachments == [[1, 2], []])
        #expect(!decoder.isAwaitingAttachments)

        #expect(try decoder.receivedText(bytes(#"61-3[{"_placeholder":true,"num":0}]"#)) == nil)
        let ack = try #require(try decoder.receivedBinary([9]))
        #expect(ack.type == .ack)
        #expect(ack.id == 3)
    }

    @Test("Text in place of an attachment, and an attachment out of place, are errors")
    func outOfTurn() throws {
        var decoder = PacketDecoder()
        #expect(throws: PacketError.unexpectedAttachment) { try decoder.receivedBinary([1]) }
        decoder = PacketDecoder()
        #expect(try decoder.receivedText(bytes(#"51-["f",{"_placeholder":true,"num":0}]"#)) == nil)
        #expect(throws: PacketError.attachmentExpected) {
            try decoder.receivedText(bytes("2[\"f\"]"))
        }
    }

    @Test("The size of a packet counts its attachments")
    func packetSize() throws {
        var limits = PacketLimits()
        limits.maxPacketBytes = 20
        var decoder = PacketDecoder(limits: limits)
        #expect(try decoder.receivedText(bytes("52-[\"f\"]")) == nil)
        #expect(try decoder.receivedBinary(bytes("0123456789")) == nil)
        #expect(throws: PacketError.tooLarge) { try decoder.receivedBinary(bytes("012")) }
        decoder = PacketDecoder(limits: limits)
        #expect(throws: PacketError.tooLarge) {
            try decoder.receivedText(bytes("2[\"0123456789012345\"]"))
        }
    }

    @Test("A discarded message is named, and its attachments are dropped")
    func discarded() throws {
        var decoder = PacketDecoder()
        let found = try decoder.discardedMessage(prefix: bytes(#"52-/a,4["up",{"long":"xxxx"#))
        #expect(found == DiscardedPacket(namespace: "/a", event: "up", id: 4))
        #expect(try decoder.receivedBinary([1]) == nil)
        #expect(try decoder.receivedBinary([2]) == nil)
        #expect(try decoder.receivedText(bytes("2[\"f\"]")) != nil)
        #expect(throws: PacketError.unexpectedAttachment) { try decoder.receivedBinary([3]) }

        decoder = PacketDecoder()
        let cut = try decoder.discardedMessage(prefix: bytes("2[\"never ending"))
        #expect(cut == DiscardedPacket(namespace: "/", event: nil, id: nil))
        #expect(throws: PacketError.unknownType) {
            try decoder.discardedMessage(prefix: bytes("x"))
        }
    }

    @Test("A discarded attachment gives up its packet")
    func discardedAttachment() throws {
        var decoder = PacketDecoder()
        #expect(try decoder.receivedText(bytes("53-9[\"up\"]")) == nil)
        #expect(try decoder.receivedBinary([1]) == nil)
        let found = try decoder.discardedMessage(prefix: [0])
        #expect(found == DiscardedPacket(namespace: "/", event: "up", id: 9))
        #expect(try decoder.receivedBinary([3]) == nil)
        #expect(try decoder.receivedText(bytes("2[\"f\"]"))?.eventName == "f")
    }

    @Test("Random bytes are decoded or refused, never worse", arguments: 0..<8)
    func noise(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let alphabet = Array("0123456-/,[]{}\":\\_ef ".utf8)
        var packets = 0
        for _ in 0..<5_000 {
            var decoder = PacketDecoder()
            for _ in 0..<3 {
                let length = Int.random(in: 0...10, using: &random)
                let noise = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
                let isText = Bool.random(using: &random)
                let packet =
                    isText
                    ? try? decoder.receivedText(noise[...])
                    : try? decoder.receivedBinary(noise[...])
                packets += packet == nil ? 0 : 1
            }
        }
        #expect(packets > 0)
    }
}
