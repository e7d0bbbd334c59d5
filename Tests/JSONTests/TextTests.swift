import Testing

@testable import JSON

@Suite("JSON text")
struct TextTests {
    @Test("Fields are read where they lie, the last of equal names wins")
    func members() throws {
        let text = try JSONText(
            text: #" {"a": 1, "b" : {"a":"x\"}"} ,"c":[1,[2],{"d":3}],"a":true, "n":null} "#)
        #expect(text.kind == .object)
        #expect(text["a"]?.bool == true)
        #expect(text["b"]?["a"]?.string == "x\"}")
        #expect(text["c"]?.elements.map(\.text) == ["1", "[2]", #"{"d":3}"#])
        #expect(text["n"]?.isNull == true)
        #expect(text["missing"] == nil)
        #expect(text[key: "c"]?.count == 3)
        #expect(text["a"]?["a"] == nil)
        var keys: [String] = []
        text.forEachMember { key, _ in keys.append(key.string) }
        #expect(keys == ["a", "b", "c", "a", "n"])
    }

    @Test("Reading fields of a value that is no container gives nothing")
    func noContainer() throws {
        for spelled in ["1", "\"{}\"", "null", "[]", "{}", "[ ]", "{ }"] {
            let text = try JSONText(text: spelled)
            #expect(text["a"] == nil)
            #expect(text.elements.isEmpty)
            #expect(text.count == 0)
        }
        #expect(try JSONText(text: #"{"a":1}"#).elements.isEmpty)
        #expect(try JSONText(text: "[1]")["a"] == nil)
    }

    @Test("Elements can be taken up to a limit")
    func limitedElements() throws {
        let text = try JSONText(text: "[1,2,3]")
        #expect(text.elements(atMost: 3)?.compactMap(\.int) == [1, 2, 3])
        #expect(text.elements(atMost: 2) == nil)
        #expect(JSONText.emptyArray.elements(atMost: 0) == [])
    }

    @Test("Names are compared through their escapes")
    func escapedNames() throws {
        let text = try JSONText(text: #"{"\u0061\n":1,"é":2}"#)
        #expect(text["a\n"]?.int == 1)
        #expect(text[key: "é"]?.int == 2)
        var seen = 0
        text.forEachMember { key, _ in
            switch key {
            case "a\n": seen += 1
            case "é": seen += 10
            default: seen += 100
            }
        }
        #expect(seen == 11)
    }

    @Test(
        "Integers are exact or refused",
        arguments: [
            ("0", 0), ("-0", 0), ("-1", -1), ("9223372036854775807", Int64.max),
            ("-9223372036854775808", Int64.min), ("9223372036854775808", nil),
            ("-9223372036854775809", nil), ("99999999999999999999999999", nil), ("1.0", 1),
            ("1e3", 1000), ("-2.5e1", -25), ("1.5", nil), ("1e19", nil),
            ("9007199254740993.0", 9_007_199_254_740_992), ("1e400", nil), ("true", nil),
            ("\"1\"", nil),
        ] as [(String, Int64?)])
    func integers(_ spelled: String, _ value: Int64?) throws {
        #expect(try JSONText(text: spelled).int == value)
    }

    @Test("Doubles are the nearest ones, out of range is nil")
    func doubles() throws {
        #expect(try JSONText(text: "0.1").double == 0.1)
        #expect(try JSONText(text: "-1e-5").double == -0.00001)
        #expect(try JSONText(text: "12").double == 12)
        #expect(try JSONText(text: "1e400").double == nil)
        #expect(try JSONText(text: "null").double == nil)
    }

    @Test(
        "Strings lose their escapes, lone surrogates become replacement characters",
        arguments: [
            (#""""#, ""), (#""a\tb""#, "a\tb"), (#""\"\\\/\b\f\n\r""#, "\"\\/\u{8}\u{c}\n\r"),
            (#""\u00e9\u20AC""#, "é€"), (#""\uD83D\uDE00!""#, "😀!"), (#""\uD83D""#, "\u{FFFD}"),
            (#""\uDE00\uD83D""#, "\u{FFFD}\u{FFFD}"), (#""\uD83Dx""#, "\u{FFFD}x"),
            (#""\uD83D\u0041""#, "\u{FFFD}A"), (#""\uD83D\uD83D\uDE00""#, "\u{FFFD}😀"),
            (#""\u0000""#, "\0"), ("\"é\"", "é"),
        ])
    func strings(_ spelled: String, _ value: String) throws {
        #expect(try JSONText(text: spelled).string == value)
    }

    @Test("A slice of a larger buffer is read by its own indices")
    func slices() throws {
        let buffer = Array(#"42["event", {"a":[1,2]}] "#.utf8)
        let text = try JSONText(validating: buffer[2...])
        #expect(text.elements.first?.string == "event")
        #expect(text.elements.last?["a"]?.elements.compactMap(\.int) == [1, 2])
        #expect(try JSONText(text: #"{"a":[1,2]}"#) == text.elements[1])
        #expect(try JSONText(text: #"{"a":[1,2]}"#).hashValue == text.elements[1].hashValue)
    }

    @Test("Unchecked bytes never make a read leave the buffer", arguments: 0..<5)
    func uncheckedBytes(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let alphabet = Array("[]{}\",:\\u01 tfn".utf8)
        for _ in 0..<5_000 {
            let length = Int.random(in: 0...24, using: &random)
            let bytes = (0..<length).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            let text = JSONText(unchecked: bytes[...])
            _ = (text["a"], text.elements, text.string, text.int, text.double, text.bool)
            text.forEachMember { key, value in
                #expect(bytes.indices.contains(value.bytes.startIndex))
                _ = (key.string, value.string)
            }
        }
    }
}

@Suite("JSON values")
struct ValueTests {
    @Test("Literals write what they say, in order")
    func literals() {
        let name = "x"
        let value: JSONValue = [
            "b": 1, "a": [true, nil, 1.5, "t\(name)"], "raw": .raw(.emptyObject), "e": [:],
        ]
        let text = #"{"b":1,"a":[true,null,1.5,"tx"],"raw":{},"e":{}}"#
        #expect(String(decoding: value.encoded, as: UTF8.self) == text)
        #expect(JSONValue.object([("k", 1)]).json.text == #"{"k":1}"#)
        #expect(JSONValue.members([("k", .integer(UInt64.max))]).json["k"]?.int == Int64.max)
    }

    @Test(
        "Doubles are written as the shortest decimal that reads back",
        arguments: [
            (1.0, "1"), (-3.0, "-3"), (0.1, "0.1"), (1e21, "1e+21"),
            (.leastNonzeroMagnitude, "5e-324"),
            (1_700_000_000_000.0, "1700000000000"), (.nan, "null"), (.infinity, "null"),
            (-.infinity, "null"),
        ] as [(Double, String)])
    func doubles(_ value: Double, _ text: String) {
        #expect(JSONValue.double(value).json.text == text)
    }

    @Test("Strings are escaped where RFC 8259 or old JavaScript needs it")
    func escapes() {
        let value = JSONValue.string(
            "a\"b\\c/\u{8}\t\n\u{c}\r\u{1}\u{1f}\u{7f}é\u{2028}\u{2029}\u{202a}😀")
        let text =
            #""a\"b\\c/\b\t\n\f\r\u0001\u001f"# + "\u{7f}é" + #"\u2028\u2029"# + "\u{202a}😀\""
        #expect(value.json.text == text)
    }

    @Test("What is written is valid and reads back the same", arguments: 0..<10)
    func roundTrip(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        for _ in 0..<500 {
            let value = RandomJSON.value(&random, depth: 5)
            try expectEqual(JSONText(validating: value.encoded[...]), value)
        }
    }

    private func expectEqual(_ text: JSONText, _ value: JSONValue) throws {
        switch value {
        case .null: #expect(text.isNull)
        case .bool(let bool): #expect(text.bool == bool)
        case .int(let int): #expect(text.int == int)
        case .double(let double):
            #expect(double.isFinite ? text.double == double : text.isNull)
        case .string(let string): #expect(text.string == string)
        case .raw(let raw): #expect(text == raw)
        case .array(let array):
            try #require(text.elements.count == array.count)
            for (text, value) in zip(text.elements, array) { try expectEqual(text, value) }
        case .object(let members):
            #expect(text.count == members.count)
            for member in members {
                try expectEqual(#require(text[key: member.key]), member.value)
            }
        }
    }

    @Test("Members are set, replaced and removed by name")
    func memberList() {
        var members: JSONMembers = ["a": 1, "b": 2]
        members["b"] = 3
        members["c"] = 4
        members["a"] = .none
        #expect(JSONValue.object(members).json.text == #"{"b":3,"c":4}"#)
    }
}
