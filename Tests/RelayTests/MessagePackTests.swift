import TestKit
import Testing

@testable import Relay

/// Vectors written by hand from the tables of the MessagePack specification.
@Suite struct MessagePackTests {
    @Test(
        "every form of the specification is written in its shortest spelling and read back",
        arguments: [
            (.null, [0xC0]), (.bool(false), [0xC2]), (.bool(true), [0xC3]),
            (.int(0), [0x00]), (.int(127), [0x7F]), (.int(128), [0xCC, 0x80]),
            (.int(255), [0xCC, 0xFF]), (.int(256), [0xCD, 0x01, 0x00]),
            (.int(65_535), [0xCD, 0xFF, 0xFF]), (.int(65_536), [0xCE, 0x00, 0x01, 0x00, 0x00]),
            (.int(4_294_967_295), [0xCE, 0xFF, 0xFF, 0xFF, 0xFF]),
            (.int(4_294_967_296), [0xCF, 0, 0, 0, 1, 0, 0, 0, 0]),
            (.int(.max), [0xCF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            (.uint(.max), [0xCF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            (.int(-1), [0xFF]), (.int(-32), [0xE0]), (.int(-33), [0xD0, 0xDF]),
            (.int(-128), [0xD0, 0x80]), (.int(-129), [0xD1, 0xFF, 0x7F]),
            (.int(-32_768), [0xD1, 0x80, 0x00]),
            (.int(-32_769), [0xD2, 0xFF, 0xFF, 0x7F, 0xFF]),
            (.int(-2_147_483_648), [0xD2, 0x80, 0x00, 0x00, 0x00]),
            (.int(-2_147_483_649), [0xD3, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF]),
            (.int(.min), [0xD3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            (.double(1.5), [0xCB, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0]),
            (.double(.infinity), [0xCB, 0x7F, 0xF0, 0, 0, 0, 0, 0, 0]),
            (.string(""), [0xA0]), (.string("é"), [0xA2, 0xC3, 0xA9]),
            (.binary([]), [0xC4, 0x00]), (.binary([1, 2]), [0xC4, 0x02, 0x01, 0x02]),
            (.array([]), [0x90]), (.array([.int(1), .null]), [0x92, 0x01, 0xC0]),
            (.map([]), [0x80]), (.map([.init("a", .int(1))]), [0x81, 0xA1, 0x61, 0x01]),
            (.undefined, [0xD4, 0x00, 0x00]),
            (.date(1), [0xD7, 0x00, 0, 0, 0, 0, 0, 0, 0, 1]),
            (.date(-1), [0xD7, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] as [(MessagePackValue, [UInt8])])
    func vectors(_ value: MessagePackValue, _ bytes: [UInt8]) throws {
        #expect(value.encoded == bytes)
        #expect(try MessagePackValue(decoding: bytes[...]) == value)
    }

    @Test(
        "a length takes the shortest head that holds it",
        arguments: [
            (31, [0xBF], [0xC4, 31]), (32, [0xD9, 32], [0xC4, 32]),
            (255, [0xD9, 255], [0xC4, 255]), (256, [0xDA, 1, 0], [0xC5, 1, 0]),
            (65_535, [0xDA, 255, 255], [0xC5, 255, 255]),
            (65_536, [0xDB, 0, 1, 0, 0], [0xC6, 0, 1, 0, 0]),
        ] as [(Int, [UInt8], [UInt8])])
    func lengths(_ count: Int, _ stringHead: [UInt8], _ binaryHead: [UInt8]) throws {
        let bytes = [UInt8](repeating: 0x61, count: count)
        let string = MessagePackValue.string(String(repeating: "a", count: count))
        #expect(string.encoded == stringHead + bytes)
        #expect(try MessagePackValue(decoding: string.encoded[...]) == string)
        #expect(MessagePackValue.binary(bytes).encoded == binaryHead + bytes)
        let decoded = try MessagePackValue(decoding: (binaryHead + bytes)[...])
        #expect(decoded == .binary(bytes))
    }

    @Test(
        "an array and a map take the shortest head that holds their count",
        arguments: [
            (15, [0x9F], [0x8F]), (16, [0xDC, 0, 16], [0xDE, 0, 16]),
            (65_535, [0xDC, 255, 255], [0xDE, 255, 255]),
            (65_536, [0xDD, 0, 1, 0, 0], [0xDF, 0, 1, 0, 0]),
        ] as [(Int, [UInt8], [UInt8])])
    func counts(_ count: Int, _ arrayHead: [UInt8], _ mapHead: [UInt8]) throws {
        let array = MessagePackValue.array(Array(repeating: .null, count: count))
        let map = MessagePackValue.map(Array(repeating: .init("", .int(7)), count: count))
        #expect(array.encoded == arrayHead + [UInt8](repeating: 0xC0, count: count))
        #expect(try MessagePackValue(decoding: array.encoded[...]) == array)
        #expect(Array(map.encoded.prefix(mapHead.count + 2)) == mapHead + [0xA0, 7])
        #expect(try MessagePackValue(decoding: map.encoded[...]) == map)
    }

    @Test(
        "forms that are longer than need be, float 32, and the extensions of Node are read",
        arguments: [
            ([0xCC, 0x05], .int(5)), ([0xD3, 0, 0, 0, 0, 0, 0, 0, 5], .int(5)),
            ([0xD9, 0x01, 0x61], .string("a")), ([0xDC, 0, 1, 0xC0], .array([.null])),
            ([0xCA, 0x3F, 0xC0, 0, 0], .double(1.5)),
            ([0xC7, 2, 0, 9, 8], .binary([9, 8])), ([0xC8, 0, 1, 0, 9], .binary([9])),
            ([0xC9, 0, 0, 0, 1, 0, 9], .binary([9])),
            ([0xD6, 0xFF, 0, 0, 0, 2], .date(2_000)),
            ([0xD7, 0xFF, 0x77, 0x35, 0x94, 0x00, 0, 0, 0, 1], .date(1_500)),
            (
                [0xC7, 12, 0xFF, 0x1D, 0xCD, 0x65, 0x00]
                    + [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .date(-500)
            ),
        ] as [([UInt8], MessagePackValue)])
    func readOnly(_ bytes: [UInt8], _ value: MessagePackValue) throws {
        #expect(try MessagePackValue(decoding: bytes[...]) == value)
    }

    @Test(
        "what is no value is refused with its reason and place",
        arguments: [
            ([], .truncated, 0), ([0xC1], .unusedByte, 1), ([0xC0, 0xC0], .trailing, 1),
            ([0xA2, 0x61], .truncated, 1), ([0xA1, 0xFF], .utf8, 2),
            ([0xA3, 0xED, 0xA0, 0x80], .utf8, 4), ([0x91], .truncated, 1),
            ([0x81, 0xA0], .truncated, 1), ([0xDD, 0xFF, 0xFF, 0xFF, 0xFF], .truncated, 5),
            ([0xDF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0], .truncated, 5),
            ([0xC6, 0xFF, 0xFF, 0xFF, 0xFF], .truncated, 5), ([0xCF, 1, 2], .truncated, 1),
            ([0x81, 0x01, 0x01], .key, 2), ([0xD4, 0x72, 0x00], .extension, 3),
            ([0xD5, 0x00, 0, 0], .extension, 4), ([0xC7, 1, 1, 0x35], .extension, 4),
            ([0xC7, 3, 0xFF, 1, 2, 3], .extension, 6), ([0xD8], .truncated, 1),
        ] as [([UInt8], MessagePackError.Reason, Int)])
    func refused(_ bytes: [UInt8], _ reason: MessagePackError.Reason, _ offset: Int) {
        #expect(throws: MessagePackError(reason, at: offset)) {
            try MessagePackValue(decoding: bytes[...])
        }
    }

    @Test("depth, values and bytes are bounded, and the bound itself is allowed")
    func limits() throws {
        var limits = MessagePackLimits()
        limits.maxDepth = 3
        limits.maxValues = 4
        limits.maxBytes = 4
        _ = try MessagePackValue(decoding: [0x91, 0x91, 0x91, 0xC0], limits: limits)
        limits.maxDepth = 2
        #expect(throws: MessagePackError(.depth, at: 3)) {
            try MessagePackValue(decoding: [0x91, 0x91, 0x91, 0xC0], limits: limits)
        }
        #expect(throws: MessagePackError(.size)) {
            try MessagePackValue(decoding: [0x94, 0, 0, 0, 0], limits: limits)
        }
        limits.maxBytes = 5
        #expect(throws: MessagePackError(.tooManyValues, at: 4)) {
            try MessagePackValue(decoding: [0x94, 0, 0, 0, 0], limits: limits)
        }
    }

    @Test("skipping a value needs no depth and reads exactly its bytes")
    func skip() throws {
        let deep = [UInt8](repeating: 0x91, count: 100_000) + [0xC0]
        var reader = try MessagePackReader((deep + [0x07])[...])
        #expect(try reader.skip().count == deep.count)
        #expect(try reader.next() == .int(7))
        #expect(reader.isAtEnd)
    }

    @Test("random and mutated bytes end in a value or an error, and values survive a round trip")
    func random() throws {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<3_000 {
            let value = MessagePackValue.random(depth: 3, using: &generator)
            var bytes = value.encoded
            #expect(try MessagePackValue(decoding: bytes[...]) == value, "seed \(seed)")
            guard !bytes.isEmpty else { continue }
            for _ in 0..<4 {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(
                    in: 0...255, using: &generator)
                if let changed = try? MessagePackValue(decoding: bytes[...]) {
                    // A number of five bytes may become one of nine.
                    #expect(changed.encoded.count <= 2 * bytes.count, "seed \(seed)")
                }
            }
        }
    }
}

extension MessagePackValue {
    static func random(depth: Int, using generator: inout SeededGenerator) -> MessagePackValue {
        switch Int.random(in: 0..<(depth > 0 ? 10 : 8), using: &generator) {
        case 0: return .null
        case 1: return .bool(.random(using: &generator))
        case 2: return .int(.random(in: .min ... .max, using: &generator))
        case 3: return .int(.random(in: -300...300, using: &generator))
        case 4: return .double(.random(in: 0.1..<0.9, using: &generator))
        case 5: return .string(text(using: &generator))
        case 6: return .binary(Array(text(using: &generator).utf8))
        case 7: return .undefined
        case 8: return .array(values(depth, using: &generator))
        default: return .map(values(depth, using: &generator).map { .init("k", $0) })
        }
    }

    private static func text(using generator: inout SeededGenerator) -> String {
        let count = Int.random(in: 0...40, using: &generator)
        return String(
            repeating: ["a", "é", "\u{1F600}", "\""].randomElement(using: &generator) ?? "",
            count: count)
    }

    private static func values(
        _ depth: Int, using generator: inout SeededGenerator
    ) -> [MessagePackValue] {
        (0..<Int.random(in: 0...20, using: &generator)).map { _ in
            random(depth: depth - 1, using: &generator)
        }
    }
}
