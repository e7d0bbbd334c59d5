/// One packet: a type and, for some, data.
///
///     text frame or payload item   4hello
///     binary frame                 the bytes alone, a message
///     binary payload item          bAQID (base64)
package struct Packet: Sendable, Hashable {
    package var type: PacketType
    package var data: ArraySlice<UInt8>
    /// True for the data of a binary message; text otherwise.
    package var isBinary: Bool

    package init(_ type: PacketType, _ data: ArraySlice<UInt8> = [], isBinary: Bool = false) {
        self.type = type
        self.data = data
        self.isBinary = isBinary
    }

    /// Reads the text frame of a WebSocket.
    package init(textFrame bytes: ArraySlice<UInt8>) throws(PacketError) {
        guard let first = bytes.first else { throw .empty }
        guard let type = PacketType(rawValue: first) else { throw .unknownType }
        self.init(type, bytes.dropFirst())
    }

    /// Reads one item of a polling payload.
    package init(payloadItem bytes: ArraySlice<UInt8>) throws(PacketError) {
        guard bytes.first == Payload.binaryMark else {
            try self.init(textFrame: bytes)
            return
        }
        guard let data = Base64.decode(bytes.dropFirst()) else { throw .base64 }
        self.init(.message, data[...], isBinary: true)
    }

    /// The form in a polling payload, appended to `bytes`.
    package func writePayloadItem(into bytes: inout [UInt8]) {
        if isBinary {
            bytes.append(Payload.binaryMark)
            Base64.encode(data, into: &bytes)
        } else {
            bytes.append(type.rawValue)
            bytes.append(contentsOf: data)
        }
    }
}

/// Why bytes are no packet; each ends the session with a parse error.
package enum PacketError: Error, Sendable, Hashable {
    case empty
    case unknownType
    case base64
    /// More packets in a payload than `Payload.maxPackets`.
    case tooMany
    /// The length before a packet is none, or not that of what follows (revision 3).
    case length
    /// A string that is not UTF-8 (revision 3).
    case encoding
}
