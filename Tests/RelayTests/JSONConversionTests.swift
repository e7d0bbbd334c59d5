import JSON
import Testing

@testable import Relay

@Suite struct JSONConversionTests {
    @Test(
        "a value becomes the JSON that JavaScript writes for it",
        arguments: [
            (.null, "null"), (.undefined, "null"), (.bool(true), "true"), (.int(-7), "-7"),
            (.uint(.max), "18446744073709551615"), (.double(0.5), "0.5"), (.double(-0.0), "0"),
            (.double(3), "3"), (.double(.nan), "null"), (.double(-.infinity), "null"),
            (.string("a\"\n"), #""a\"\n""#), (.array([.undefined, .int(1)]), "[null,1]"),
            (
                .map([.init("a", .int(1)), .init("gone", .undefined), .init("b", .null)]),
                #"{"a":1,"b":null}"#
            ),
            (.map([.init("gone", .undefined), .init("b", .array([]))]), #"{"b":[]}"#),
            (.date(0), #""1970-01-01T00:00:00.000Z""#),
            (.date(1_709_209_800_250), #""2024-02-29T12:30:00.250Z""#),
            (.date(-1), #""1969-12-31T23:59:59.999Z""#),
            (.date(-62_198_755_200_000), #""-000001-01-01T00:00:00.000Z""#),
            (.date(253_402_300_800_000), #""+010000-01-01T00:00:00.000Z""#),
            (.date(8.64e15 + 1), "null"),
        ] as [(MessagePackValue, String)])
    func toJSON(_ value: MessagePackValue, _ json: String) throws {
        let (text, attachments) = try JSONText.decoding(messagePack: value.encoded[...])
        #expect(text.text == json)
        #expect(attachments.isEmpty)
        _ = try JSONText(text: text.text)
    }

    @Test("binaries become placeholders numbered in the order in which they come")
    func binaries() throws {
        let value = MessagePackValue.array([
            .binary([1, 2]), .map([.init("b", .binary([])), .init("c", .array([.binary([3])]))]),
        ])
        let (json, attachments) = try JSONText.decoding(messagePack: value.encoded[...])
        let expected =
            #"[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1},"#
            + #""c":[{"_placeholder":true,"num":2}]}]"#
        #expect(json.text == expected)
        #expect(attachments.map(Array.init) == [[1, 2], [], [3]])
        var writer = MessagePackWriter()
        try writer.json(json, attachments: attachments)
        #expect(writer.bytes == value.encoded)
    }

    @Test("a map that looks like a placeholder passes alone, and not beside a binary")
    func lookalike() throws {
        let lookalike = MessagePackValue.map([
            .init("_placeholder", .bool(true)), .init("num", .int(0)),
        ])
        let (json, _) = try JSONText.decoding(messagePack: lookalike.encoded[...])
        #expect(json.text == #"{"_placeholder":true,"num":0}"#)
        let both = MessagePackValue.array([lookalike, .binary([1])])
        #expect(throws: MessagePackError(.placeholder)) {
            try JSONText.decoding(messagePack: both.encoded[...])
        }
    }

    @Test(
        "JSON becomes the bytes that the Node libraries write for the same value",
        arguments: [
            ("null", [0xC0]), ("true", [0xC3]), (" 5 ", [0x05]), ("1.0", [0x01]),
            ("1e2", [0x64]), ("-0", [0x00]), ("-0.0", [0x00]),
            ("-1", [0xFF]), ("0.5", [0xCB, 0x3F, 0xE0, 0, 0, 0, 0, 0, 0]),
            ("1e400", [0xCB, 0x7F, 0xF0, 0, 0, 0, 0, 0, 0]),
            ("18446744073709551616", [0xCB, 0x43, 0xF0, 0, 0, 0, 0, 0, 0]),
            (#""a\u00e9\n""#, [0xA4, 0x61, 0xC3, 0xA9, 0x0A]), ("[]", [0x90]), ("{}", [0x80]),
            (
                #" { "a" : [ 1 , { "b" : [ ] } , "x" ] , "c\n" : null } "#,
                [0x82, 0xA1, 0x61, 0x93, 0x01, 0x81, 0xA1, 0x62, 0x90, 0xA1, 0x78]
                    + [0xA2, 0x63, 0x0A, 0xC0]
            ),
            (
                #"{"_placeholder":true,"num":0}"#,
                [0x82, 0xAC] + Array("_placeholder".utf8) + [0xC3, 0xA3] + Array("num".utf8) + [0]
            ),
        ] as [(String, [UInt8])])
    func fromJSON(_ json: String, _ bytes: [UInt8]) throws {
        var writer = MessagePackWriter()
        writer.json(try JSONText(text: json))
        #expect(writer.bytes == bytes)
    }

    @Test("containers of every size that changes the head are counted right")
    func counts() throws {
        for count in [0, 15, 16, 17, 70_000] {
            let array = "[" + Array(repeating: "[1]", count: count).joined(separator: ",") + "]"
            var writer = MessagePackWriter()
            writer.json(try JSONText(text: array))
            let value = try MessagePackValue(decoding: writer.bytes[...])
            #expect(value.array?.count == count)
            #expect(writer.bytes == value.encoded)
        }
    }

    @Test("a placeholder that names no attachment is refused")
    func danglingPlaceholder() throws {
        let json = try JSONText(text: #"[{"_placeholder":true,"num":1}]"#)
        var writer = MessagePackWriter()
        #expect(throws: (any Error).self) { try writer.json(json, attachments: [[UInt8]([1])]) }
    }
}
