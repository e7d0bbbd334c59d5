import EngineIO
import NIOCore
import WebSocket

/// A packet on its way to a client, in the form that polling queues it.
enum OutgoingPacket {
    case text(PacketType, ByteBuffer)
    case binary(ByteBuffer)

    init(_ packet: Packet) {
        let data = ByteBuffer(bytes: packet.data)
        self = packet.isBinary ? .binary(data) : .text(packet.type, data)
    }

    init(_ message: EngineMessage) {
        switch message {
        case .text(let buffer): self = .text(.message, buffer)
        case .binary(let buffer): self = .binary(buffer)
        }
    }

    var byteCount: Int {
        switch self {
        case .text(_, let buffer), .binary(let buffer): buffer.readableBytes + 1
        }
    }

    /// The packet as a whole WebSocket frame.
    func frame(_ form: WireForm) -> ByteBuffer {
        switch (self, form) {
        case (.text(let type, let data), _):
            return Self.frame(.text, type.rawValue, data)
        case (.binary(let data), .four):
            return Self.frame(.binary, nil, data)
        case (.binary(let data), .three):
            return Self.frame(.binary, Packet.revision3BinaryMessage, data)
        case (.binary, .threeInText):
            var text: [UInt8] = []
            packet.writeRevision3Text(into: &text)
            return Self.frame(.text, nil, ByteBuffer(bytes: text))
        }
    }

    private static func frame(_ opcode: Opcode, _ type: UInt8?, _ data: ByteBuffer) -> ByteBuffer {
        let size = data.readableBytes + (type == nil ? 0 : 1)
        var frame = ByteBufferAllocator().buffer(capacity: size + FrameHeader.maxEncodedSize)
        frame.writeFrameHeader(opcode, payload: size)
        if let type { frame.writeInteger(type) }
        frame.writeImmutableBuffer(data)
        return frame
    }

    private var packet: Packet {
        switch self {
        case .text(let type, let data): Packet(type, Array(data.readableBytesView)[...])
        case .binary(let data):
            Packet(.message, Array(data.readableBytesView)[...], isBinary: true)
        }
    }

    /// The body of a polling answer, and whether it is something else than text.
    static func payload(
        _ packets: [OutgoingPacket], _ form: WireForm
    ) -> (body: ByteBuffer, isBinary: Bool) {
        guard form != .four else { return (payload(packets), false) }
        let payload = Revision3Payload.encode(
            packets.map(\.packet), inText: form == .threeInText)
        return (ByteBuffer(bytes: payload.bytes), payload.isBinary)
    }

    private static func payload(_ packets: [OutgoingPacket]) -> ByteBuffer {
        var body = ByteBufferAllocator().buffer(
            capacity: packets.reduce(0) { $0 + $1.byteCount + 1 })
        for (index, packet) in packets.enumerated() {
            if index > 0 { body.writeInteger(Payload.separator) }
            switch packet {
            case .text(let type, let data):
                body.writeInteger(type.rawValue)
                body.writeImmutableBuffer(data)
            case .binary(let data):
                var text = [Payload.binaryMark]
                Base64.encode(Array(data.readableBytesView)[...], into: &text)
                body.writeBytes(text)
            }
        }
        return body
    }
}

extension ByteBuffer {
    /// Writes the header of an unmasked, final frame.
    mutating func writeFrameHeader(_ opcode: Opcode, payload count: Int) {
        let header = FrameHeader(opcode, payloadCount: count)
        writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.maxEncodedSize) {
            header.encode(into: $0)
        }
    }
}
