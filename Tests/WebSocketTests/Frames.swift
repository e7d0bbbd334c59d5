@testable import WebSocket

/// A client's frame, masked as RFC 6455 asks.
func clientFrame(
    _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, reserved: UInt8 = 0,
    key: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
) -> [UInt8] {
    var frame: [UInt8] = [opcode | (isFinal ? 0x80 : 0) | reserved]
    switch payload.count {
    case ..<126: frame.append(0x80 | UInt8(payload.count))
    case ...0xFFFF: frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default:
        frame.append(0x80 | 127)
        for shift in stride(from: 56, through: 0, by: -8) {
            frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
        }
    }
    frame += key
    frame += payload.enumerated().map { $1 ^ key[$0 % 4] }
    return frame
}

/// What a decoder makes of a stream that arrives in pieces of `step` bytes.
func decode(
    _ stream: [UInt8], step: Int = .max, limits: Limits = Limits()
) -> (events: [FrameDecoder.Event], error: WebSocketError?) {
    var decoder = FrameDecoder(limits: limits)
    var events: [FrameDecoder.Event] = []
    var start = 0
    while start < stream.count {
        let end = step > stream.count - start ? stream.count : start + step
        let piece = Array(stream[start..<end])
        start = end
        var position = 0
        do {
            while let event = try next(&decoder, piece, &position) { events.append(event) }
        } catch {
            return (events, error)
        }
    }
    return (events, nil)
}

private func next(
    _ decoder: inout FrameDecoder, _ piece: [UInt8], _ position: inout Int
) throws(WebSocketError) -> FrameDecoder.Event? {
    try piece.withUnsafeBufferPointer { (bytes) throws(WebSocketError) in
        try decoder.next(in: UnsafeRawBufferPointer(bytes), at: &position)
    }
}

extension String {
    var bytes: [UInt8] { Array(utf8) }
}

/// Seeded randomness.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
