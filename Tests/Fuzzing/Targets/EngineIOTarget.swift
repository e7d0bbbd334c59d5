@testable import EngineIO

extension FuzzTarget {
    /// Bodies of polling requests, and text frames: what is read is written so that it reads the
    /// same.
    static let engineIO = FuzzTarget(name: "engineio", maxBytes: 16 << 10) { input in
        if let packet = try? Packet(textFrame: input[...]) {
            try require(
                [packet.type.rawValue] + packet.data == input, "a text frame reads differently")
        }
        guard let packets = try? Payload.decode(input[...]) else { return }
        try require(packets.count <= Payload.maxPackets, "more packets than allowed")
        let written = Payload.encode(packets)
        try require(
            try Payload.decode(written[...]) == packets, "packets change when written and read")
        for packet in packets where packet.isBinary {
            let text = Array(Base64.encode(Array(packet.data)).utf8)
            try require(text.count == Base64.encodedSize(of: packet.data.count), "base64 size")
            try require(Base64.decode(text[...]).map { $0[...] } == packet.data, "base64")
        }
    }
}
