import JSON
import Testing

@testable import SocketIO

@Suite("Packet encoder")
struct PacketEncoderTests {
    @Test("Packets are spelled as the protocol document does")
    func spelling() {
        #expect(text(PacketEncoder.event("foo", [])) == #"2["foo"]"#)
        #expect(
            text(PacketEncoder.event("fo\"o", [1, nil], namespace: "/a", id: 12))
                == #"2/a,12["fo\"o",1,null]"#)
        #expect(
            text(PacketEncoder.event("up", [Placeholder.value(0)], attachmentCount: 1))
                == #"51-["up",{"_placeholder":true,"num":0}]"#)
        #expect(text(PacketEncoder.ack(7, ["x"])) == #"37["x"]"#)
        #expect(text(PacketEncoder.ack(7, [], namespace: "/a")) == "3/a,7[]")
        #expect(
            text(PacketEncoder.ack(7, [Placeholder.value(0)], namespace: "/a", attachmentCount: 1))
                == #"61-/a,7[{"_placeholder":true,"num":0}]"#)
        #expect(text(PacketEncoder.connect(sid: "s")) == #"0{"sid":"s"}"#)
        #expect(text(PacketEncoder.connect(sid: "s", namespace: "/a")) == #"0/a,{"sid":"s"}"#)
        #expect(text(PacketEncoder.connectError("no")) == #"4{"message":"no"}"#)
        #expect(
            text(PacketEncoder.connectError("no", data: ["a": 1], namespace: "/a"))
                == #"4/a,{"message":"no","data":{"a":1}}"#)
    }

    @Test("In revision 4 an accepted CONNECT has no payload, a refused one data or a string")
    func revision4() {
        #expect(text(PacketEncoder.connect(sid: "s", revision: .four)) == "0")
        #expect(
            text(PacketEncoder.connect(sid: "s", namespace: "/a", revision: .four)) == "0/a,")
        #expect(text(PacketEncoder.connectError("n\"o", revision: .four)) == #"4"n\"o""#)
        #expect(
            text(PacketEncoder.connectError("no", namespace: "/a", revision: .four))
                == #"4/a,"no""#)
        #expect(
            text(PacketEncoder.connectError("no", data: ["a": 1], revision: .four))
                == #"4{"a":1}"#)
    }

    @Test("DISCONNECT has no payload")
    func disconnect() {
        #expect(text(PacketEncoder.disconnect()) == "1")
        #expect(text(PacketEncoder.disconnect(namespace: "/a")) == "1/a,")
    }

    @Test("What is encoded is decoded to the same packet", arguments: 0..<4)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for _ in 0..<500 {
            let type: PacketType = [.event, .ack].randomElement(using: &random) ?? .event
            let attachments: [ArraySlice<UInt8>] = (0..<Int.random(in: 0...3, using: &random))
                .map { [UInt8($0)] }
            let payload: JSONValue = .array(["e"] + attachments.indices.map(Placeholder.value))
            let packet = Packet(
                type, namespace: Bool.random(using: &random) ? "/" : "/é",
                id: type == .ack || Bool.random(using: &random)
                    ? UInt64.random(in: 0...(1 << 53), using: &random) : nil,
                payload: payload.json, attachments: attachments)
            var decoder = PacketDecoder()
            var decoded = try decoder.receivedText(PacketEncoder.encode(packet)[...])
            for attachment in attachments {
                #expect(decoded == nil)
                decoded = try decoder.receivedBinary(attachment)
            }
            #expect(decoded == packet)
        }
    }
}
