import WebSocket

/// The bytes of a client's frames, as they come from a socket.
enum FrameCases {
    static let all: [MicroCase] = [
        MicroCase(
            name: "frame-decode-200", unit: "masked text frame of 200 B",
            iterations: (1_000, 5_000), prepare: { try decoding(payloadBytes: 200) }),
        MicroCase(
            name: "frame-decode-64k", unit: "masked text frame of 64 KiB",
            iterations: (20, 100), prepare: { try decoding(payloadBytes: 64 << 10) }),
    ]

    /// A text frame from a client.
    static func masked(_ text: [UInt8]) -> [UInt8] {
        let key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        var frame: [UInt8] = [0x81]
        switch text.count {
        case ..<126: frame.append(0x80 | UInt8(text.count))
        case ..<65_536:
            frame += [0xFE, UInt8(text.count >> 8), UInt8(text.count & 0xFF)]
        default:
            frame.append(0xFF)
            for shift in stride(from: 56, through: 0, by: -8) {
                frame.append(UInt8((text.count >> shift) & 0xFF))
            }
        }
        frame += key
        for (index, byte) in text.enumerated() { frame.append(byte ^ key[index & 3]) }
        return frame
    }

    private static func decoding(payloadBytes: Int) throws -> (Int) throws -> Void {
        let frame = masked(Array(repeating: UInt8(ascii: "x"), count: payloadBytes))
        return { count in
            var decoder = FrameDecoder()
            for _ in 0..<count {
                let event = try frame.withUnsafeBytes { bytes in
                    var position = 0
                    return try decoder.next(in: bytes, at: &position)
                }
                guard case .text(let text)? = event, text.count == payloadBytes else {
                    throw MicroError(description: "the frame was not decoded")
                }
                keep(text)
            }
        }
    }
}
