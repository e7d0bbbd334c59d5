import TestKit
import Testing

@testable import Rooms

@Suite struct RoomOffsetTests {
    @Test func anOffsetIsReadAsItIsWritten() {
        for (version, followsScene) in [(Version(1), false), (1 << 53 - 1, true), (36, true)] {
            let offset = RoomOffset(
                room: "Room_a-1", epoch: 1, version: version, followsScene: followsScene)
            #expect(RoomOffset(offset.text) == offset)
        }
        let example = RoomOffset(room: "abc", epoch: 35, version: 36)
        #expect(example.text == "abc.z.10")
    }

    @Test(arguments: [
        "", ".", "..", "...", "abc", "abc.1", "abc.1.", "abc..1", "ab.1.2", "abc.1.2.", "abc.1.2.t",
        "abc.1.2.s.s", "abc.1.2.S", "abc.01.2", "abc.1.02", "abc.0.1", "abc.2.1", "abc.A.B",
        "abc.-1.2", "abc.+1.2", "abc.1.2 ", " abc.1.2", "a c.1.2", "abc.1.zzzzzzzzzzz",
        "abc.1.zzzzzzzzzzzz", "abc.1.1\u{0}", "äbc.1.2", "abc.1.２", "abc/..1.2", "pong",
        String(repeating: "a", count: 51) + ".1.2", String(repeating: "1", count: 10_000),
    ])
    func whatIsNoOffsetIsNotRead(_ text: String) {
        #expect(RoomOffset(text) == nil)
    }

    /// Whatever is read is what would be written: no two texts mean the same place.
    @Test func thereIsOneSpellingOfEachPlace() {
        var random = SeededGenerator(seed: 4)
        let letters = Array("0129abzAZ_-.s. é")
        for _ in 0..<20_000 {
            var text = "room.\(String(UInt32.random(in: 1...99, using: &random), radix: 36)).zz"
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let at = text.index(
                    text.startIndex, offsetBy: Int.random(in: 0..<text.count, using: &random))
                let letter = letters[Int.random(in: 0..<letters.count, using: &random)]
                if Bool.random(using: &random) {
                    text.replaceSubrange(at...at, with: [letter])
                } else {
                    text.insert(letter, at: at)
                }
            }
            guard let offset = RoomOffset(text) else { continue }
            #expect(offset.text == text)
            #expect(offset.version < 1 << 53)
        }
    }
}
