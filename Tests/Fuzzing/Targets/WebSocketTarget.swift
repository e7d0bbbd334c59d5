@testable import WebSocket

extension FuzzTarget {
    /// Frames of a client: the same messages and the same error wherever the stream is cut, and no
    /// message longer than its limit.
    static let webSocket = FuzzTarget(name: "websocket", maxBytes: 16 << 10) { input in
        var input = FuzzInput(input)
        let seed = input.byte()
        let limits = limits(input.byte())
        let whole = decode([input.rest], limits)
        let pieces = decode(RandomSplit(input.rest, seed: seed), limits)
        try require(whole == pieces, "the split changes \(whole) to \(pieces)")
        for event in whole.events { try check(event, limits) }
    }

    private struct Outcome: Equatable {
        var events: [FrameDecoder.Event] = []
        var error: WebSocketError?
        var isMidMessage = false
    }

    /// Small ones, so that the fuzzer passes them.
    private static func limits(_ choice: UInt8) -> Limits {
        let message = [16, 256, 4_096, 1 << 20][Int(choice & 3)]
        return Limits(
            maxMessageBytes: message, maxSkippedMessageBytes: message * Int(1 + choice >> 6),
            skippedPrefixBytes: Int(choice >> 2 & 15))
    }

    private static func decode(
        _ pieces: some Sequence<ArraySlice<UInt8>>, _ limits: Limits
    ) -> Outcome {
        var decoder = FrameDecoder(limits: limits)
        var outcome = Outcome()
        for piece in pieces {
            piece.withUnsafeBytes { bytes in
                var position = 0
                do throws(WebSocketError) {
                    while let event = try decoder.next(in: bytes, at: &position) {
                        outcome.events.append(event)
                    }
                } catch {
                    outcome.error = error
                }
            }
            if outcome.error != nil { break }
        }
        outcome.isMidMessage = !decoder.isFinished && decoder.isMidMessage
        return outcome
    }

    private static func check(_ event: FrameDecoder.Event, _ limits: Limits) throws {
        switch event {
        case .text(let bytes):
            try require(bytes.count <= limits.maxMessageBytes, "text beyond the limit")
            try require(String(validating: bytes, as: UTF8.self) != nil, "text is not UTF-8")
        case .binary(let bytes):
            try require(bytes.count <= limits.maxMessageBytes, "binary beyond the limit")
        case .ping(let bytes), .pong(let bytes):
            try require(bytes.count <= 125, "control frame beyond 125 bytes")
        case .close(let code, let reason):
            try require(code.map(CloseCode.mayBeReceived) ?? true, "close code \(code ?? 0)")
            try require(String(validating: reason, as: UTF8.self) != nil, "reason is not UTF-8")
        case .tooLarge(_, let count, let prefix):
            try require(count > limits.maxMessageBytes, "not too large")
            try require(prefix.count <= limits.skippedPrefixBytes, "prefix beyond its limit")
        }
    }
}
