import Testing

@testable import WebSocket

@Suite struct FrameHeaderTests {
    @Test func eachLengthTakesItsShortestForm() {
        #expect(FrameHeader(.text, payloadCount: 5).encoded == [0x81, 5])
        #expect(FrameHeader(.text, payloadCount: 125).encoded == [0x81, 125])
        #expect(FrameHeader(.binary, payloadCount: 126).encoded == [0x82, 126, 0, 126])
        #expect(FrameHeader(.binary, payloadCount: 65_535).encoded == [0x82, 126, 255, 255])
        #expect(
            FrameHeader(.text, isFinal: false, payloadCount: 65_536).encoded
                == [0x01, 127, 0, 0, 0, 0, 0, 1, 0, 0])
    }

    @Test func encodedSizeIsWhatIsWritten() {
        for count in [0, 125, 126, 65_535, 65_536, Int.max] {
            let header = FrameHeader(.text, payloadCount: count)
            #expect(header.encoded.count == header.encodedSize)
        }
    }
}

@Suite struct CloseTests {
    @Test func aReasonIsCutAtACharacterToFitAControlFrame() {
        let payload = CloseCode.payload(1013, reason: String(repeating: "é", count: 100))
        #expect(payload.count == 2 + 122)
        #expect(payload[..<2] == [0x03, 0xF5])
        #expect(String(validating: payload[2...], as: UTF8.self) != nil)
    }

    /// Every state × event: the action, and whether data may still be written.
    @Test func everyEventHasAnAnswerInEveryState() {
        let open = CloseHandshake()
        var awaiting = open
        #expect(awaiting.closeRequested(code: 1012) == .sendClose(code: 1012))
        var done = awaiting
        #expect(done.receivedClose(code: 1012) == .disconnect)
        #expect(open.isOpen && !awaiting.isOpen && !done.isOpen)

        typealias Event = (inout CloseHandshake) -> CloseHandshake.Action
        let events: [(Event, [CloseHandshake.Action])] = [
            ({ $0.closeRequested(code: 1000) }, [.sendClose(code: 1000), .nothing, .nothing]),
            (
                { $0.receivedClose(code: 4000) },
                [.sendCloseAndDisconnect(code: 4000), .disconnect, .nothing]
            ),
            (
                { $0.receivedClose(code: nil) },
                [.sendCloseAndDisconnect(code: 1000), .disconnect, .nothing]
            ),
            (
                { $0.failed(code: 1002) },
                [.sendCloseAndDisconnect(code: 1002), .disconnect, .nothing]
            ),
            ({ $0.timedOut() }, [.nothing, .disconnect, .nothing]),
        ]
        for (event, expected) in events {
            for (state, action) in zip([open, awaiting, done], expected) {
                var state = state
                #expect(event(&state) == action)
            }
        }
    }
}

@Suite struct SHA1Tests {
    private func hex(_ text: String) -> String {
        SHA1.digest(text.bytes).map {
            let digits = String($0, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }

    @Test func theVectorsOfTheStandardHold() {
        #expect(hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
        #expect(hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")
                == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    }
}
