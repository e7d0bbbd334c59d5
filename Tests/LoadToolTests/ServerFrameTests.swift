import Testing
import WebSocket

@testable import LoadTool

@Suite struct ServerFrameTests {
    private func frame(_ text: String, _ opcode: Opcode = .text, isFinal: Bool = true) -> [UInt8] {
        let payload = Array(text.utf8)
        return FrameHeader(opcode, isFinal: isFinal, payloadCount: payload.count).encoded + payload
    }

    private func read(_ bytes: [UInt8], at start: Int = 0) -> ServerFrame.Reading {
        bytes.withUnsafeBytes { ServerFrame.read($0, at: start, maxPayload: 100_000) }
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65_535, 65_536])
    func aFrameOfAnyLengthIsFoundInPlace(_ length: Int) {
        let text = String(repeating: "x", count: length)
        let bytes = [9, 9, 9] + frame(text) + [1]
        guard case .frame(let found) = read(bytes, at: 3) else {
            Issue.record("no frame of \(length) bytes")
            return
        }
        #expect(found.opcode == .text && found.isFinal && found.payloadCount == length)
        #expect(Array(bytes[found.payloadStart..<found.end]) == Array(text.utf8))
        #expect(found.end == bytes.count - 1)
    }

    @Test(arguments: [10, 200, 70_000])
    func whereverTheBytesEndTheFrameIsIncompleteAndSaysWhatItTakes(_ length: Int) {
        let whole = frame(String(repeating: "y", count: length))
        for count in Set([0, 1, 2, 3, 5, 9, 10, 11, whole.count / 2, whole.count - 1])
        where count < whole.count {
            guard case .incomplete(let needed) = read(Array(whole[..<count])) else {
                Issue.record("\(count) of \(whole.count) bytes were enough")
                continue
            }
            #expect(needed > count && needed <= whole.count)
        }
    }

    @Test func whatAServerMayNotSendIsRefused() {
        #expect(read([0x81, 0x81, 0, 0, 0, 0, 0]) == .broken(.masked))
        #expect(read([0xC1, 0x00]) == .broken(.reserved))
        #expect(read([0x83, 0x00]) == .broken(.reserved))
        let huge = FrameHeader(.binary, payloadCount: 100_001).encoded
        #expect(read(huge) == .broken(.tooLong))
        #expect(read([0x82, 127] + [UInt8](repeating: 0xFF, count: 8)) == .broken(.tooLong))
    }

    @Test(arguments: [0, 3, 8, 125, 126, 200, 70_000])
    func whatAClientSendsIsDecodedAsItWasMeant(_ length: Int) throws {
        var numbers = SeededNumbers(seed: 5)
        let payload = (0..<length).map { _ in UInt8(numbers.next() >> 40 & 0x7F) }
        var bytes = [UInt8](repeating: 0, count: length + ClientFrame.maxHeaderBytes)
        let count = bytes.withUnsafeMutableBytes { output in
            payload.withUnsafeBytes {
                ClientFrame.encode(.text, $0, mask: 0xA1B2_C3D4, into: output)
            }
        }
        var decoder = FrameDecoder()
        var position = 0
        let event = try bytes[..<count].withUnsafeBytes { input in
            try decoder.next(in: input, at: &position)
        }
        #expect(event == .text(payload[...]))
        #expect(position == count && !decoder.isMidMessage)
    }

    @Test func theSameSeedGivesTheSameNumbers() {
        var (one, same, other) = (
            SeededNumbers(seed: 3), SeededNumbers(seed: 3), SeededNumbers(seed: 4)
        )
        let numbers = (0..<8).map { _ in one.next() }
        #expect(numbers == (0..<8).map { _ in same.next() })
        #expect(numbers != (0..<8).map { _ in other.next() })
    }
}
