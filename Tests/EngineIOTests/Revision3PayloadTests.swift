import Testing

@testable import EngineIO

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite struct Revision3PayloadTests {
    private let mixed = [
        Packet(.message, bytes("hello")), Packet(.ping),
        Packet(.message, [1, 2, 3, 4], isBinary: true),
    ]

    @Test func packetsOfTextHaveTheirLengthBeforeThem() throws {
        let packets = [Packet(.message, bytes("hello")), Packet(.ping, bytes("probe"))]
        let payload = Revision3Payload.encode(packets, inText: false)
        #expect(text(payload.bytes) == "6:4hello6:2probe")
        #expect(payload.isBinary == false)
        #expect(try Revision3Payload.decode(payload.bytes[...]) == packets)
    }

    @Test func forAClientOfTextABinaryIsBase64() throws {
        let payload = Revision3Payload.encode(mixed, inText: true)
        #expect(text(payload.bytes) == "6:4hello1:210:b4AQIDBA==")
        #expect(payload.isBinary == false)
        #expect(try Revision3Payload.decode(payload.bytes[...]) == mixed)
    }

    @Test func oneBinaryFramesTheWholePayload() throws {
        let payload = Revision3Payload.encode(mixed, inText: false)
        #expect(
            payload.bytes == [0, 6, 0xFF] + Array("4hello".utf8) + [0, 1, 0xFF] + Array("2".utf8)
                + [1, 5, 0xFF, 4, 1, 2, 3, 4])
        #expect(payload.isBinary)
        #expect(try Revision3Payload.decode(payload.bytes[...]) == mixed)
    }

    @Test func aLengthOfManyDigitsIsOneByteADigit() throws {
        let data = [UInt8](repeating: 7, count: 1202)
        let packet = Packet(.message, data[...], isBinary: true)
        let payload = Revision3Payload.encode([packet], inText: false)
        #expect(payload.bytes.prefix(7) == [1, 1, 2, 0, 3, 0xFF, 4])
        #expect(try Revision3Payload.decode(payload.bytes[...]) == [packet])
    }

    /// What `length` says of the text in JavaScript, and not its bytes nor its characters.
    @Test(arguments: [("é€", "3:4é€"), ("🦙", "3:4🦙"), ("a🦙é", "5:4a🦙é")])
    func lengthsOfTextAreUTF16CodeUnits(data: String, expected: String) throws {
        let packet = Packet(.message, bytes(data))
        #expect(text(Revision3Payload.encode([packet], inText: true).bytes) == expected)
        let twice = bytes(expected + "1:6" + expected)
        #expect(try Revision3Payload.decode(twice) == [packet, Packet(.noop), packet])
    }

    /// A length in UTF-16 is read wrong by clients that count characters; one in bytes by none.
    @Test func surrogatesFrameThePayloadWhereTheClientTakesFrames() throws {
        let packet = Packet(.message, bytes("🦙"))
        let payload = Revision3Payload.encode([packet], inText: false)
        #expect(payload.bytes == [0, 5, 0xFF] + Array("4🦙".utf8))
        #expect(payload.isBinary)
        #expect(try Revision3Payload.decode(payload.bytes[...]) == [packet])
        let plain = Revision3Payload.encode([Packet(.message, bytes("é€"))], inText: false)
        #expect(plain.isBinary == false)
    }

    @Test func anItemOfNoLengthSaysNothing() throws {
        #expect(try Revision3Payload.decode(bytes("0:")) == [])
        #expect(try Revision3Payload.decode(bytes("0:1:20:")) == [Packet(.ping)])
    }

    @Test(arguments: [
        "", ":", "4", "6", "6:", "6:4hell", "7:4hello", "5:4hello", "6:4hello6", "-1:4", "+1:4",
        " 1:4", "1 :4", "1.0:4", "0x1:4", "2:é4", "1:🦙", "2:4🦙", "1:9", "1:b", "2:b4é", "2:b2",
        "10:b4AQIDB*==", "9999999999999:4", "99999999999999999999999:4",
    ])
    func textThatIsNoPayloadIsRefused(body: String) {
        #expect(throws: PacketError.self) { try Revision3Payload.decode(bytes(body)) }
    }

    @Test(
        arguments: [
            [0], [0, 0xFF], [0, 1], [0, 1, 0xFF], [0, 2, 0xFF, 0x34], [0, 10, 0xFF, 0x34],
            [0, 1, 0xFF, 0x39], [0, 1, 0xFF, 0x34, 2, 1, 0xFF, 0x34], [0, 0, 0xFF], [1, 0, 0xFF],
            [1, 1, 0xFF, 0x34], [1, 1, 0xFF, 2], [0, 2, 0xFF, 0x34, 0xC3], [0, 1, 0xFF, 0x34, 0],
            [0] + [UInt8](repeating: 9, count: 13) + [0xFF, 0x34],
            [0] + [UInt8](repeating: 9, count: 400),
            [1] + [UInt8](repeating: 9, count: 12) + [0xFF, 4],
        ] as [[UInt8]])
    func framesThatAreNoPayloadAreRefused(body: [UInt8]) {
        #expect(throws: PacketError.self) { try Revision3Payload.decode(body[...]) }
    }

    @Test func everyTruncationOfAPayloadIsRefusedOrShorter() throws {
        for inText in [true, false] {
            let whole = Revision3Payload.encode(mixed, inText: inText).bytes
            for count in 0..<whole.count {
                let packets = (try? Revision3Payload.decode(whole.prefix(count))) ?? []
                #expect(packets.count < mixed.count)
                #expect(packets == Array(mixed.prefix(packets.count)))
            }
        }
    }

    @Test func aPayloadHasABoundOfPackets() throws {
        let text = String(repeating: "1:2", count: Payload.maxPackets)
        #expect(try Revision3Payload.decode(bytes(text)).count == Payload.maxPackets)
        #expect(throws: PacketError.tooMany) { try Revision3Payload.decode(bytes(text + "1:2")) }
        let frame: [UInt8] = [0, 1, 0xFF, 0x32]
        let frames = [[UInt8]](repeating: frame, count: Payload.maxPackets + 1).flatMap { $0 }
        #expect(throws: PacketError.tooMany) { try Revision3Payload.decode(frames[...]) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func whatIsEncodedIsDecodedToTheSame(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let characters = ["a", "é", "€", "🦙", ":", "9", "\u{0}", "\u{1e}", "\u{ff}"]
        for _ in 0..<300 {
            let packets = (0...random.next() % 5).map { _ -> Packet in
                let count = Int(random.next() % 40)
                guard random.next() % 3 > 0 else {
                    let data = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                    return Packet(.message, data[...], isBinary: true)
                }
                let text = (0..<count).map { _ in
                    characters[Int(random.next() % UInt64(characters.count))]
                }
                return Packet(.message, bytes(text.joined()))
            }
            for inText in [true, false] {
                let payload = Revision3Payload.encode(packets, inText: inText)
                #expect(payload.isBinary == Revision3Payload.isBinary(payload.bytes[...]))
                #expect(
                    try Revision3Payload.decode(payload.bytes[...]) == packets, "seed \(seed)")
            }
        }
    }

    /// Whatever comes is answered, and not with a trap.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func noBytesTrap(seed: UInt64) {
        var random = SplitMix(state: seed)
        let alphabet: [UInt8] = [0, 1, 2, 9, 0xFF, 0x30, 0x34, 0x39, 0x3A, 0x62, 0xC3, 0xF0, 0x80]
        for _ in 0..<5000 {
            let body = (0..<random.next() % 12).map { _ in
                alphabet[Int(random.next() % UInt64(alphabet.count))]
            }
            if let packets = try? Revision3Payload.decode(body[...]) {
                #expect(packets.count <= body.count)
            }
        }
    }
}

@Suite struct Revision3PacketTests {
    @Test func aBinaryFrameBeginsWithTheNumberOfItsType() throws {
        let packet = Packet(.message, [9, 8], isBinary: true)
        #expect(try Packet(revision3Binary: [4, 9, 8]) == packet)
        #expect(try Packet(revision3Binary: [4]) == Packet(.message, [], isBinary: true))
        #expect(throws: PacketError.empty) { try Packet(revision3Binary: []) }
        for other in [0, 1, 2, 3, 5, 6, 7, 0x34, 0xFF] as [UInt8] {
            #expect(throws: PacketError.unknownType) { try Packet(revision3Binary: [other, 9]) }
        }
    }

    @Test func aTextFrameMayHoldABinaryInBase64() throws {
        let packet = Packet(.message, [1, 2, 3, 4], isBinary: true)
        #expect(try Packet(revision3Text: bytes("b4AQIDBA==")) == packet)
        #expect(try Packet(revision3Text: bytes("4b4")) == Packet(.message, bytes("b4")))
        #expect(throws: PacketError.unknownType) { try Packet(revision3Text: bytes("b2")) }
        #expect(throws: PacketError.empty) { try Packet(revision3Text: bytes("")) }
    }

    @Test func theFormIsThatOfTheRevisionAndOfWhatTheClientTakes() {
        #expect(WireForm(.four, b64: nil) == .four)
        #expect(WireForm(.four, b64: "1") == .four)
        #expect(WireForm(.three, b64: nil) == .three)
        #expect(WireForm(.three, b64: "") == .three)
        #expect(WireForm(.three, b64: "1") == .threeInText)
        #expect(WireForm.threeInText.revision == .three)
    }
}
