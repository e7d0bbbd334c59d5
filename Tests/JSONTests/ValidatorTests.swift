import Testing

@testable import JSON

@Suite("JSON validator")
struct ValidatorTests {
    static let accepted = [
        "null", "true", "false", "0", "-0", "-1", "12", "1.5", "1e5", "1E+5", "1e-05", "-0.0e0",
        "\"\"", "\"a\"", #""\"\\\/\b\f\n\r\t""#, #""\u00e9\uD83D\uDE00""#, #""\uD800""#,
        "\"\u{7f}\u{80}é€😀\u{10FFFF}\"", "[]", "{}", "[ ]", "{ }", "[1]", "[1,2 , 3]",
        #"{"a":1}"#, #"{ "a" : 1 , "b" : [ ] }"#, #"{"a":1,"a":2}"#, #"{"":{"":{}}}"#,
        " \t\r\n1 \t\r\n", "[[[[[]]]]]", #"[{"a":[{"b":null}]},true]"#,
        #""a string of more than eight bytes, é at the end""#,
    ]

    @Test("A value allowed by RFC 8259 is accepted and kept as spelled", arguments: accepted)
    func accepts(_ text: String) throws {
        let value = try JSONText(text: text)
        let spaces: Set<Character> = [" ", "\t", "\n", "\r", "\r\n"]
        let trimmed = text.drop { spaces.contains($0) }.reversed()
            .drop { spaces.contains($0) }.reversed()
        #expect(value.text == String(trimmed))
    }

    static let refused: [(String, JSONError.Reason)] = [
        ("", .empty), (" \n", .empty), ("nul", .truncated), ("nulx", .syntax), ("True", .syntax),
        ("01", .trailing), ("[01]", .syntax), ("-", .truncated), ("-a", .syntax), ("+1", .syntax),
        (".5", .syntax), ("1.", .truncated), ("1.e3", .syntax), ("1e", .truncated),
        ("1e+", .truncated), ("0x10", .trailing), ("NaN", .syntax), ("Infinity", .syntax),
        ("\"", .truncated), ("\"abc", .truncated), ("\"\\", .truncated), (#""\x""#, .syntax),
        (#""\u12""#, .syntax), (#""\u12g4""#, .syntax), ("\"\n\"", .syntax), ("\"\0\"", .syntax),
        ("\"\u{1f}\"", .syntax), ("'a'", .syntax), ("[", .truncated), ("[1", .truncated),
        ("[1,", .truncated), ("[1,]", .syntax), ("[,1]", .syntax), ("[1 2]", .syntax),
        ("[1}", .syntax), ("]", .syntax), ("{", .truncated), (#"{"a""#, .truncated),
        (#"{"a":"#, .truncated), (#"{"a":1"#, .truncated), (#"{"a":1,}"#, .syntax),
        (#"{"a",1}"#, .syntax), ("{1:1}", .syntax), (#"{"a":1]"#, .syntax), ("{,}", .syntax),
        ("1 2", .trailing), ("{}x", .trailing), ("[] []", .trailing), ("//a\n1", .syntax),
        ("\u{feff}1", .syntax), ("\u{a0}1", .syntax), ("nullnull", .trailing),
    ]

    @Test("Anything else is refused with its reason", arguments: refused)
    func refuses(_ text: String, _ reason: JSONError.Reason) {
        let error = #expect(throws: JSONError.self) { try JSONText(text: text) }
        #expect(error?.reason == reason)
    }

    @Test(
        "A string that is not UTF-8 is refused",
        arguments: [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x80, 0x80], [0xE0, 0x9F, 0xBF],
            [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x28, 0xA1], [0xF0, 0x9F, 0x98, 0x28],
        ] as [[UInt8]])
    func refusesBadUTF8(_ content: [UInt8]) {
        for padding in 0..<9 {
            let padded = [UInt8](repeating: 0x61, count: padding) + content
            let error = #expect(throws: JSONError.self) {
                try JSONText(validating: ([0x22] + padded + [0x22])[...])
            }
            #expect(error?.reason == .utf8)
            #expect(error?.offset == 1 + padding)
        }
    }

    @Test("Depth is limited, and a very deep input costs no stack")
    func depth() throws {
        func nested(_ levels: Int) -> [UInt8] {
            Array(repeating: 0x5B, count: levels) + Array(repeating: 0x5D, count: levels)
        }
        _ = try JSONText(validating: nested(512)[...])
        let error = #expect(throws: JSONError.self) {
            try JSONText(validating: nested(10_000)[...])
        }
        #expect(error == JSONError(offset: 512, reason: .depth))
        let deep = try JSONText(
            validating: nested(1_000_000)[...], limits: JSONLimits(maxDepth: 1_000_000))
        #expect(deep.elements.count == 1)
    }

    @Test("Mixed containers are matched at every depth")
    func mixedNesting() throws {
        for depth in 60...200 {
            var open = ""
            var close = ""
            for level in 0..<depth {
                let isObject = (level * 7 + depth) % 3 == 0
                open += isObject ? #"{"k":"# : "["
                close = (isObject ? "}" : "]") + close
            }
            _ = try JSONText(text: open + "1" + close)
            let wrong = close.dropLast() + (close.last == "}" ? "]" : "}")
            #expect(throws: JSONError.self) { try JSONText(text: open + "1" + wrong) }
        }
    }

    @Test("Size is limited")
    func size() {
        let error = #expect(throws: JSONError.self) {
            try JSONText(text: "12345", limits: JSONLimits(maxBytes: 4))
        }
        #expect(error?.reason == .size)
    }

    @Test("The validator agrees with a plain recursive one on mutated documents", arguments: 0..<20)
    func mutations(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let alphabet = Array("[]{}\",:\\u0123eE+-.tfn \n".utf8) + [0xC3, 0xA9, 0xED, 0xA0, 0x80, 1]
        var accepted = 0
        for _ in 0..<1_000 {
            var document = RandomJSON.value(&random, depth: 4).encoded
            for _ in 0..<Int.random(in: 0...3, using: &random) where !document.isEmpty {
                let place = Int.random(in: 0..<document.count, using: &random)
                let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                switch Int.random(in: 0..<3, using: &random) {
                case 0: document[place] = byte
                case 1: document.insert(byte, at: place)
                default: document.remove(at: place)
                }
            }
            let expected = ReferenceValidator.accepts(document)
            let actual = (try? JSONText(validating: document[...])) != nil
            accepted += actual ? 1 : 0
            #expect(
                actual == expected, "seed \(seed): \(String(decoding: document, as: UTF8.self))")
        }
        #expect(accepted > 100)
    }
}
