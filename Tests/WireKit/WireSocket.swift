/// The client's end of a WebSocket (RFC 6455 § 5), for messages of one frame each.
package final class WireSocket {
    package enum Message: Sendable, Hashable {
        case text(String)
        case binary([UInt8])
        /// The server closed, with that code; 1006 where it sent none.
        case close(Int)
    }

    /// A frame that no server may send to a client that asked for nothing special.
    package struct UnexpectedFrame: Error {
        package let firstByte: UInt8
    }

    private let connection: WireConnection

    init(_ connection: WireConnection) {
        self.connection = connection
    }

    package func send(_ text: String) async throws {
        try await connection.send(Self.frame(opcode: 1, Array(text.utf8)))
    }

    package func send(_ bytes: [UInt8]) async throws {
        try await connection.send(Self.frame(opcode: 2, bytes))
    }

    /// Cuts the connection.
    package func close() {
        connection.close()
    }

    /// The next message. After `close` nothing more comes.
    package func next() async throws -> Message {
        do {
            return try await nextFrame()
        } catch is WireConnection.Ended {
            return .close(1006)
        }
    }

    private func nextFrame() async throws -> Message {
        let head = try await connection.read(2)
        var length = Int(head[1])
        if length >= 126 {
            let bytes = try await connection.read(length == 126 ? 2 : 8)
            length = bytes.reduce(0) { $0 << 8 | Int($1) }
        }
        let payload = try await connection.read(length)
        switch head[0] {
        case 0x81: return .text(String(decoding: payload, as: UTF8.self))
        case 0x82: return .binary(payload)
        case 0x88: return .close(payload.prefix(2).reduce(0) { $0 << 8 | Int($1) })
        default: throw UnexpectedFrame(firstByte: head[0])
        }
    }

    private static func frame(opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let mask: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        var frame = [0x80 | opcode]
        switch payload.count {
        case ..<126: frame.append(0x80 | UInt8(payload.count))
        case ...0xFFFF:
            frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            frame.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) {
                frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
            }
        }
        return frame + mask + payload.enumerated().map { $1 ^ mask[$0 & 3] }
    }
}
