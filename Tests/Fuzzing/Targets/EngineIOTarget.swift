@testable import EngineIO

extension FuzzTarget {
    /// Bodies of polling requests, and text frames: what is read is written so that it reads the
    /// same.
    static let engineIO = FuzzTarget(name: "engineio", maxBytes: 16 << 10) { input in
        if let packet = try? Packet(textFrame: input[...]) {
            try require(
                [packet.type.rawValue] + packet.data == input, "a text frame reads differently")
        }
        try checkRevision3(input)
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

    private static func checkRevision3(_ input: [UInt8]) throws {
        if let packet = try? Packet(revision3Binary: input[...]) {
            try require(packet.isBinary && packet.data == input.dropFirst(), "a binary frame")
        }
        // A body in text is checked to be UTF-8 before it comes here.
        guard
            Revision3Payload.isBinary(input[...])
                || String(validating: input, as: UTF8.self) != nil,
            let packets = try? Revision3Payload.decode(input[...])
        else { return }
        try require(packets.count <= Payload.maxPackets, "more packets than allowed")
        for inText in [true, false] where !packets.isEmpty {
            let written = Revision3Payload.encode(packets, inText: inText)
            try require(
                written.isBinary == Revision3Payload.isBinary(written.bytes[...]),
                "a body is taken for one of the other form")
            try require(
                try Revision3Payload.decode(written.bytes[...]) == packets,
                "packets of revision 3 change when written and read")
        }
    }
}
