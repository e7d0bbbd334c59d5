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
    var frame: ByteBuffer {
        switch self {
        case .text(let type, let data):
            var frame = ByteBufferAllocator().buffer(
                capacity: data.readableBytes + 1 + FrameHeader.maxEncodedSize)
            frame.writeFrameHeader(.text, payload: data.readableBytes + 1)
            frame.writeInteger(type.rawValue)
            frame.writeImmutableBuffer(data)
            return frame
        case .binary(let data):
            var frame = ByteBufferAllocator().buffer(
                capacity: data.readableBytes + FrameHeader.maxEncodedSize)
            frame.writeFrameHeader(.binary, payload: data.readableBytes)
            frame.writeImmutableBuffer(data)
            return frame
        }
    }

    /// The body of a polling answer.
    static func payload(_ packets: [OutgoingPacket]) -> ByteBuffer {
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
