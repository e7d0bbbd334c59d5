/// The spelling of packets in Engine.IO 3.
///
///     text frame or string item    4hello
///     the same, of a binary        b4AQID (base64)
///     binary frame or item         04 01 02 03
extension Packet {
    /// Reads a text frame, or a string item of a payload.
    package init(revision3Text bytes: ArraySlice<UInt8>) throws(PacketError) {
        guard bytes.first == Payload.binaryMark else {
            try self.init(textFrame: bytes)
            return
        }
        let rest = bytes.dropFirst()
        guard let first = rest.first else { throw .empty }
        guard PacketType(rawValue: first) == .message else { throw .unknownType }
        guard let data = Base64.decode(rest.dropFirst()) else { throw .base64 }
        self.init(.message, data[...], isBinary: true)
    }

    /// Reads a binary frame, or a binary item of a payload. Only messages are binary.
    package init(revision3Binary bytes: ArraySlice<UInt8>) throws(PacketError) {
        guard let first = bytes.first else { throw .empty }
        guard first == Self.revision3BinaryMessage else { throw .unknownType }
        self.init(.message, bytes.dropFirst(), isBinary: true)
    }

    /// The type of a binary message, as a number and not as a digit.
    package static let revision3BinaryMessage = PacketType.message.rawValue - UInt8(ascii: "0")

    /// The form as a text frame or string item, appended to `bytes`; binaries in base64.
    package func writeRevision3Text(into bytes: inout [UInt8]) {
        if isBinary { bytes.append(Payload.binaryMark) }
        bytes.append(type.rawValue)
        if isBinary { Base64.encode(data, into: &bytes) } else { bytes.append(contentsOf: data) }
    }
}
