import Testing

@testable import EngineIO

func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

@Suite struct PacketTests {
    @Test func textFramesAreReadByTheirFirstDigit() throws {
        #expect(try Packet(textFrame: bytes("4hello")) == Packet(.message, bytes("hello")))
        #expect(try Packet(textFrame: bytes("2probe")) == Packet(.ping, bytes("probe")))
        #expect(try Packet(textFrame: bytes("1")) == Packet(.close))
        #expect(try Packet(textFrame: bytes("4")) == Packet(.message))
    }

    @Test(arguments: ["", "7", "a", "bAQID", " 4", "\u{1e}"])
    func whatIsNoPacketIsRefused(text: String) {
        #expect(throws: PacketError.self) { try Packet(textFrame: bytes(text)) }
    }

    /// The payload of the protocol document: three messages, the last one binary.
    @Test func thePayloadOfTheDocumentIsReadAndWritten() throws {
        let body = bytes("4hello\u{1e}2\u{1e}bAQIDBA==")
        let packets = [
            Packet(.message, bytes("hello")), Packet(.ping),
            Packet(.message, [1, 2, 3, 4], isBinary: true),
        ]
        #expect(try Payload.decode(body) == packets)
        #expect(Payload.encode(packets)[...] == body)
    }

    @Test(arguments: ["", "4a\u{1e}", "\u{1e}4a", "4a\u{1e}\u{1e}4b", "abc", "4a\u{1e}b*"])
    func aPayloadWithOneBadItemIsRefusedWhole(text: String) {
        #expect(throws: PacketError.self) { try Payload.decode(bytes(text)) }
    }

    @Test func aPayloadHasABoundOfPackets() throws {
        let most = Array(repeating: "2", count: Payload.maxPackets).joined(separator: "\u{1e}")
        #expect(try Payload.decode(bytes(most)).count == Payload.maxPackets)
        #expect(throws: PacketError.tooMany) { try Payload.decode(bytes(most + "\u{1e}2")) }
    }

    @Test func theOpenPacketIsTheDocumentsJSON() {
        let open = OpenPacket(
            sid: "lv_VI97HAXpY6yYWAAAB", upgrades: [.webSocket], pingIntervalMilliseconds: 10_000,
            pingTimeoutMilliseconds: 5000, maxPayloadBytes: 1_000_000)
        #expect(
            Payload.encode([open.packet])[...]
                == bytes(
                    #"0{"sid":"lv_VI97HAXpY6yYWAAAB","upgrades":["websocket"],"#
                        + #""pingInterval":10000,"pingTimeout":5000,"maxPayload":1000000}"#))
    }
}

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func theVectorsOfTheStandardHold(plain: String, text: String) {
        #expect(Base64.encode(Array(plain.utf8)) == text)
        #expect(Base64.decode(bytes(text)) == Array(plain.utf8))
    }

    @Test func everyByteComesBack() {
        for count in 0..<260 {
            let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            #expect(Base64.decode(bytes(Base64.encode(data))) == data)
        }
    }

    @Test func paddingMayBeLeftOut() {
        #expect(Base64.decode(bytes("Zg")) == Array("f".utf8))
        #expect(Base64.decode(bytes("Zm8")) == Array("fo".utf8))
    }

    @Test(arguments: ["Z", "Zg=", "Z===", "Zm9vY", "Zm 9", "Zm-v", "====", "Zg==Zg=="])
    func whatNoEncoderWritesIsRefused(text: String) {
        #expect(Base64.decode(bytes(text)) == nil)
    }
}
