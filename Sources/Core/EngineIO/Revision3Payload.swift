/// The body of a polling request or answer in Engine.IO 3: packets, each with its length before it.
///
///     text      6:4hello2:4!          length in UTF-16 code units, as JavaScript counts
///     binary    00 06 FF 34 68 65 …   00: a string, 01: a binary; the length in bytes as decimal
///               01 01 00 FF 04 01 …   digits of one byte each; FF; then the packet
///
/// The first byte tells one from the other: a length in text begins with a digit.
package enum Revision3Payload {
    /// Digits of a length. Beyond: no payload, for no body is that long.
    package static let maxLengthDigits = 12

    /// A body to send; `isBinary` decides on its content type.
    package struct Encoded: Sendable, Hashable {
        package var bytes: [UInt8]
        package var isBinary: Bool
    }

    private static let lengthEnd: UInt8 = 0xFF
    private static let stringMark: UInt8 = 0
    private static let binaryMark: UInt8 = 1
}

// MARK: - Reading

extension Revision3Payload {
    /// The packets of a request's body, in order.
    ///
    /// - Parameter body: where it is text it must be valid UTF-8; see `isBinary`.
    package static func decode(_ body: ArraySlice<UInt8>) throws(PacketError) -> [Packet] {
        guard !body.isEmpty else { throw .empty }
        var packets: [Packet] = []
        var rest = body
        let isBinary = isBinary(body)
        while !rest.isEmpty {
            guard packets.count < Payload.maxPackets else { throw .tooMany }
            if isBinary {
                packets.append(try takeFramedItem(&rest))
            } else if let packet = try takeTextItem(&rest) {
                packets.append(packet)
            }
        }
        return packets
    }

    /// Whether a body is of the binary form. Its strings are then text, not the body as a whole.
    package static func isBinary(_ body: ArraySlice<UInt8>) -> Bool {
        body.first.map { $0 <= binaryMark } ?? false
    }

    /// Nil for an item of no length, which says nothing.
    private static func takeTextItem(
        _ rest: inout ArraySlice<UInt8>
    ) throws(PacketError) -> Packet? {
        let zero = UInt8(ascii: "0")
        let length = try takeLength(&rest, end: UInt8(ascii: ":"), zero: zero)
        guard length > 0 else { return nil }
        return try Packet(revision3Text: try takeUnits(length, &rest))
    }

    private static func takeFramedItem(
        _ rest: inout ArraySlice<UInt8>
    ) throws(PacketError) -> Packet {
        let mark = rest.popFirst()
        guard mark == stringMark || mark == binaryMark else { throw .length }
        let length = try takeLength(&rest, end: lengthEnd, zero: 0)
        guard length <= rest.count else { throw .length }
        let item = rest.prefix(length)
        rest = rest.dropFirst(length)
        guard mark == stringMark else { return try Packet(revision3Binary: item) }
        guard String(validating: item, as: UTF8.self) != nil else { throw .encoding }
        return try Packet(revision3Text: item)
    }

    /// Decimal digits, each `zero` more than its value, up to `end`.
    private static func takeLength(
        _ rest: inout ArraySlice<UInt8>, end: UInt8, zero: UInt8
    ) throws(PacketError) -> Int {
        var length = 0
        var count = 0
        while let byte = rest.popFirst() {
            if byte == end, count > 0 { return length }
            guard byte >= zero, byte - zero <= 9, count < maxLengthDigits else { throw .length }
            length = length * 10 + Int(byte - zero)
            count += 1
        }
        throw .length
    }

    /// The bytes of so many UTF-16 code units, which must not end within a character.
    private static func takeUnits(
        _ count: Int, _ rest: inout ArraySlice<UInt8>
    ) throws(PacketError) -> ArraySlice<UInt8> {
        var missing = count
        var end = rest.startIndex
        while missing > 0 {
            guard end < rest.endIndex else { throw .length }
            let (bytes, units) = size(ofCharacterAt: rest[end])
            missing -= units
            end += bytes
        }
        guard missing == 0, end <= rest.endIndex else { throw .length }
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    /// How long a character of UTF-8 is that begins so, in bytes and in UTF-16 code units.
    private static func size(ofCharacterAt lead: UInt8) -> (bytes: Int, units: Int) {
        switch lead {
        case ..<0xC0: (1, 1)
        case ..<0xE0: (2, 1)
        case ..<0xF0: (3, 1)
        default: (4, 2)
        }
    }
}

// MARK: - Writing

extension Revision3Payload {
    /// The body that carries `packets`.
    ///
    /// Text, unless a packet is binary and the client takes binaries; then all are framed. So they
    /// also are where text has characters beyond the basic plane: clients that do not count in
    /// UTF-16 read their lengths wrong, and lengths of frames are bytes for all.
    ///
    /// - Parameter inText: the client takes text only.
    package static func encode(_ packets: [Packet], inText: Bool) -> Encoded {
        let isBinary = !inText && packets.contains { $0.isBinary || hasSurrogates($0.data) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(packets.reduce(0) { $0 + $1.data.count + 10 })
        for packet in packets {
            if isBinary { frame(packet, into: &bytes) } else { prefix(packet, into: &bytes) }
        }
        return Encoded(bytes: bytes, isBinary: isBinary)
    }

    private static func prefix(_ packet: Packet, into bytes: inout [UInt8]) {
        var item: [UInt8] = []
        packet.writeRevision3Text(into: &item)
        let units = item.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : $1 < 0xF0 ? 1 : 2) }
        bytes.append(contentsOf: "\(units):".utf8)
        bytes.append(contentsOf: item)
    }

    private static func frame(_ packet: Packet, into bytes: inout [UInt8]) {
        bytes.append(packet.isBinary ? binaryMark : stringMark)
        let digits = String(packet.data.count + 1).utf8
        bytes.append(contentsOf: digits.map { $0 - UInt8(ascii: "0") })
        bytes.append(lengthEnd)
        bytes.append(packet.isBinary ? Packet.revision3BinaryMessage : packet.type.rawValue)
        bytes.append(contentsOf: packet.data)
    }

    private static func hasSurrogates(_ text: ArraySlice<UInt8>) -> Bool {
        text.contains { $0 >= 0xF0 }
    }
}
