import HashRing
import JSON
import SocketIO

/// What a message passes on its way: its JSON, its packet, the owner of its room.
enum TextCases {
    static let all: [MicroCase] = [
        MicroCase(
            name: "json-validate-200", unit: "JSON text of 200 B",
            iterations: (1_000, 5_000), prepare: { try validating(padding: 118) }),
        MicroCase(
            name: "json-validate-64k", unit: "JSON text of 64 KiB",
            iterations: (20, 100), prepare: { try validating(padding: 64 << 10) }),
        MicroCase(
            name: "packet-decode-event", unit: "event with ack, 200 B",
            iterations: (1_000, 5_000), prepare: decoding),
        MicroCase(
            name: "packet-encode-event", unit: "event for a broadcast, 200 B",
            iterations: (1_000, 5_000), prepare: encoding),
        MicroCase(
            name: "ring-lookup", unit: "owner of a room among 3 instances",
            iterations: (1_000, 5_000), prepare: lookingUp),
    ]

    /// An edit as an editor sends it: some structure, and a string that fills it up.
    static func edit(_ uuid: String, padding: Int) -> String {
        let name = String(repeating: "n", count: padding)
        return #"{"uuid":"\#(uuid)","type":"Mesh","matrix":[1,0,-2.25e1,true],"name":"\#(name)"}"#
    }

    private static func validating(padding: Int) throws -> (Int) throws -> Void {
        let bytes = Array(edit("object-1", padding: padding).utf8)[...]
        return { count in
            for _ in 0..<count { keep(try JSONText(validating: bytes)) }
        }
    }

    @Sendable private static func decoding() throws -> (Int) throws -> Void {
        let text = Array(
            #"217["sync-editor-object-update",\#(edit("object-1", padding: 88))]"#.utf8)[...]
        return { count in
            var decoder = PacketDecoder()
            for _ in 0..<count {
                guard let packet = try decoder.receivedText(text), packet.id == 17 else {
                    throw MicroError(description: "the packet was not decoded")
                }
                keep(packet)
            }
        }
    }

    @Sendable private static func encoding() throws -> (Int) throws -> Void {
        let edit = try JSONText(text: edit("object-1", padding: 88))
        return { count in
            for _ in 0..<count {
                keep(PacketEncoder.event("sync-editor-object-update", [.raw(edit)]))
            }
        }
    }

    @Sendable private static func lookingUp() throws -> (Int) throws -> Void {
        let ring = HashRing(
            servers: (1...3).compactMap { RingServer(name: "127.0.0.1:300\($0)") })
        let rooms = (0..<64).map { "drawing-room-\($0)" }
        return { count in
            for number in 0..<count { keep(ring.owner(of: rooms[number & 63])) }
        }
    }
}
