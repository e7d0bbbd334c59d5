import Glibc
import Testing

@testable import WebSocket

@Suite struct FrameDecoderTests {
    @Test func theExampleOfTheStandardIsRead() {
        // RFC 6455 § 5.7: a single-frame masked text message "Hello".
        let stream: [UInt8] = [
            0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58,
        ]
        #expect(decode(stream).events == [.text("Hello".bytes[...])])
    }

    @Test(arguments: [1, 2, 3, 5, 7, 64, 1000])
    func everySplitOfAStreamGivesTheSameEvents(step: Int) {
        let long = String(repeating: "añ→😀x", count: 300).bytes
        let stream =
            clientFrame(1, "first".bytes) + clientFrame(1, Array(long[..<7]), isFinal: false)
            + clientFrame(9, "p".bytes) + clientFrame(0, Array(long[7..<1000]), isFinal: false)
            + clientFrame(0, [], isFinal: false) + clientFrame(10, [])
            + clientFrame(0, Array(long[1000...])) + clientFrame(2, [0, 255, 1])
            + clientFrame(1, []) + clientFrame(8, [0x03, 0xE8] + "bye".bytes)
            + clientFrame(1, "after close".bytes)
        let (events, error) = decode(stream, step: step)
        #expect(error == nil)
        #expect(
            events == [
                .text("first".bytes[...]), .ping("p".bytes[...]), .pong([]), .text(long[...]),
                .binary([0, 255, 1]), .text([]), .close(code: 1000, reason: "bye".bytes[...]),
            ])
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536, 70_001])
    func payloadsOfEveryLengthFormAreUnmasked(count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(decode(clientFrame(2, payload)).events == [.binary(payload[...])])
        #expect(decode(clientFrame(2, payload), step: 1000).events == [.binary(payload[...])])
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let stream: [UInt8]
        let error: WebSocketError
        var testDescription: String { name }
    }

    static let faults: [Fault] = [
        Fault(name: "RSV1", stream: clientFrame(1, [], reserved: 0x40), error: .reservedBits),
        Fault(name: "RSV2", stream: clientFrame(1, [], reserved: 0x20), error: .reservedBits),
        Fault(name: "RSV3", stream: clientFrame(9, [], reserved: 0x10), error: .reservedBits),
        Fault(name: "opcode 3", stream: clientFrame(3, []), error: .unknownOpcode),
        Fault(name: "opcode 11", stream: clientFrame(11, []), error: .unknownOpcode),
        Fault(name: "unmasked", stream: [0x81, 0x01, 0x61], error: .unmaskedFrame),
        Fault(
            name: "16-bit length of a short", stream: [0x82, 0xFE, 0, 125, 0, 0, 0, 0],
            error: .invalidLength),
        Fault(
            name: "64-bit length of a medium",
            stream: [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0], error: .invalidLength),
        Fault(
            name: "length above 2^63",
            stream: [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], error: .invalidLength),
        Fault(
            name: "length of 2^63 - 1",
            stream: [0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0],
            error: .messageTooBig),
        Fault(
            name: "fragmented ping", stream: clientFrame(9, [], isFinal: false),
            error: .invalidControlFrame),
        Fault(
            name: "long ping", stream: clientFrame(9, .init(repeating: 0, count: 126)),
            error: .invalidControlFrame),
        Fault(name: "stray continuation", stream: clientFrame(0, []), error: .invalidFragment),
        Fault(
            name: "text inside text",
            stream: clientFrame(1, [], isFinal: false) + clientFrame(1, []),
            error: .invalidFragment),
        Fault(name: "close of one byte", stream: clientFrame(8, [3]), error: .invalidCloseFrame),
        Fault(name: "close 1005", stream: clientFrame(8, [3, 0xED]), error: .invalidCloseFrame),
        Fault(name: "close 999", stream: clientFrame(8, [3, 0xE7]), error: .invalidCloseFrame),
        Fault(name: "close 5000", stream: clientFrame(8, [0x13, 0x88]), error: .invalidCloseFrame),
        Fault(
            name: "close with bad text", stream: clientFrame(8, [3, 0xE8, 0xFF]),
            error: .invalidUTF8),
        Fault(name: "text of 0xFF", stream: clientFrame(1, [0xFF]), error: .invalidUTF8),
        Fault(name: "half a character", stream: clientFrame(1, [0xE2, 0x82]), error: .invalidUTF8),
        Fault(
            name: "bad text in a later fragment",
            stream: clientFrame(1, [0xE2], isFinal: false) + clientFrame(0, [0x28]),
            error: .invalidUTF8),
    ]

    @Test(arguments: faults)
    func aFaultIsRefusedHoweverItIsSplit(fault: Fault) {
        for step in [1, 3, Int.max] {
            #expect(decode(fault.stream, step: step).error == fault.error)
        }
    }

    @Test func badTextIsRefusedBeforeItsFrameIsComplete() {
        let whole = clientFrame(1, [0x61, 0xFF] + .init(repeating: 0x61, count: 1000))
        #expect(decode(Array(whole[..<20])).error == .invalidUTF8)
    }

    @Test func nothingIsReadAfterAnError() {
        var decoder = FrameDecoder()
        let stream = clientFrame(3, []) + clientFrame(1, "x".bytes)
        stream.withUnsafeBytes { bytes in
            var position = 0
            #expect(throws: WebSocketError.unknownOpcode) {
                try decoder.next(in: bytes, at: &position)
            }
            #expect((try? decoder.next(in: bytes, at: &position)) == .some(nil))
            #expect(position == bytes.count)
            #expect(decoder.isFinished)
        }
    }

    @Test(arguments: [1, 4, 50, Int.max])
    func aTooLongMessageIsSkippedAndTheNextIsRead(step: Int) {
        let limits = Limits(maxMessageBytes: 20, maxSkippedMessageBytes: 100, skippedPrefixBytes: 8)
        let text = "0123456789abcdefghijklmnopqrstuvwxyz".bytes
        let stream =
            clientFrame(1, text) + clientFrame(1, Array(text[..<5]), isFinal: false)
            + clientFrame(9, []) + clientFrame(0, Array(text[5...])) + clientFrame(1, "ok".bytes)
        let (events, error) = decode(stream, step: step, limits: limits)
        #expect(error == nil)
        #expect(
            events == [
                .tooLarge(isText: true, byteCount: 36, prefix: text[..<8]), .ping([]),
                .tooLarge(isText: true, byteCount: 36, prefix: text[..<8]), .text("ok".bytes[...]),
            ])
    }

    @Test func aMessageBeyondTheBoundOfSkippingIsRefused() {
        let limits = Limits(maxMessageBytes: 20, maxSkippedMessageBytes: 30)
        let stream =
            clientFrame(2, .init(repeating: 1, count: 25), isFinal: false)
            + clientFrame(0, .init(repeating: 1, count: 6))
        #expect(decode(stream, limits: limits).error == .messageTooBig)
        #expect(WebSocketError.messageTooBig.closeCode == 1009)
    }

    /// Time of this thread, so that it does not matter what else the machine does.
    @Test func theLongestMessageIsWholeAndCostsNoMoreAByteThanAShorterOne() {
        func secondsToDecode(_ count: Int) -> Double {
            let payload = [UInt8](repeating: 0x61, count: count)
            let frame = clientFrame(1, payload)
            let start = processorSeconds()
            let events = decode(frame, step: 1460).events
            let spent = processorSeconds() - start
            #expect(events == [.text(payload[...])])
            return spent
        }
        let short = secondsToDecode(2 * 1024 * 1024)
        let long = secondsToDecode(16 * 1024 * 1024)
        // Linear work is 8 times as much, quadratic work 64 times.
        #expect(long < 24 * short, "\(long) s against \(short) s")
    }

    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    @Test func randomBytesNeverTrap() {
        var random = SplitMix(state: 7)
        for _ in 0..<2000 {
            let count = Int.random(in: 0..<64, using: &random)
            let stream = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            let whole = decode(stream)
            let split = decode(stream, step: 1)
            #expect(whole.events == split.events && whole.error == split.error, "\(stream)")
        }
    }
}
