import Testing

@testable import WebSocket

@Suite struct UTF8ValidatorTests {
    private func isValid(_ bytes: [UInt8], split: Int) -> Bool {
        var validator = UTF8Validator()
        let pieces = [Array(bytes[..<split]), Array(bytes[split...])]
        for piece in pieces where !piece.withUnsafeBytes({ validator.validate($0) }) {
            return false
        }
        return validator.isComplete
    }

    @Test func everyShortSequenceIsJudgedAsTheStandardLibraryDoes() {
        let edges: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
            0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for a in edges {
            for b in edges {
                for c in edges {
                    for d: UInt8 in [0x41, 0x7F, 0x80, 0xBF, 0xC2] {
                        let bytes = [a, b, c, d]
                        let expected = String(validating: bytes, as: UTF8.self) != nil
                        for split in 0...4 {
                            #expect(isValid(bytes, split: split) == expected, "\(bytes) \(split)")
                        }
                    }
                }
            }
        }
    }

    @Test func aCharacterAfterALongASCIIRunIsChecked() {
        for count in 0..<20 {
            let run = [UInt8](repeating: 0x61, count: count)
            #expect(isValid(run + [0xC3, 0xA9], split: count))
            #expect(!isValid(run + [0xA9], split: count))
        }
    }
}
