/// The body of a polling request or answer: packets with a record separator between them.
package enum Payload {
    package static let separator: UInt8 = 0x1E
    package static let binaryMark = UInt8(ascii: "b")
    /// Packets of one payload. Beyond: the request is refused and the session closed.
    package static let maxPackets = 65_536

    /// The packets of a request's body, in order.
    package static func decode(_ body: ArraySlice<UInt8>) throws(PacketError) -> [Packet] {
        var packets: [Packet] = []
        var start = body.startIndex
        while true {
            let end = body[start...].firstIndex(of: separator) ?? body.endIndex
            guard packets.count < maxPackets else { throw .tooMany }
            packets.append(try Packet(payloadItem: body[start..<end]))
            if end == body.endIndex { return packets }
            start = end + 1
        }
    }

    package static func encode(_ packets: some Sequence<Packet>) -> [UInt8] {
        var bytes: [UInt8] = []
        for packet in packets {
            if !bytes.isEmpty { bytes.append(separator) }
            packet.writePayloadItem(into: &bytes)
        }
        return bytes
    }
}
