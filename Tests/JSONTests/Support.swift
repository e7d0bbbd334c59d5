import JSON

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

enum RandomJSON {
    static func value(_ random: inout SplitMix, depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 8 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &random))
        case 2: return .int(Int64(bitPattern: random.next()))
        case 3: return .double(Double(bitPattern: random.next()))
        case 4, 5: return .string(string(&random))
        case 6:
            return .array(
                (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    value(&random, depth: depth - 1)
                })
        default:
            let members = (0..<Int.random(in: 0...4, using: &random)).map { index in
                ("\(index)" + string(&random), value(&random, depth: depth - 1))
            }
            return .members(members)
        }
    }

    static func string(_ random: inout SplitMix) -> String {
        let pieces = ["a", "\"", "\\", "\n", "\u{0}", "\u{1f}", "é", "€", "\u{2028}", "😀", "/"]
        let length = Int.random(in: 0...12, using: &random)
        return (0..<length).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
    }
}

/// RFC 8259 spelled out by recursion, slow and plain, to check the fast validator against.
struct ReferenceValidator {
    private var rest: ArraySlice<UInt8>

    static func accepts(_ bytes: [UInt8]) -> Bool {
        // RFC 8259 asks for UTF-8 throughout; outside strings a byte beyond ASCII fails anyway.
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var validator = ReferenceValidator(rest: bytes[...])
        validator.spaces()
        guard validator.value() else { return false }
        validator.spaces()
        return validator.rest.isEmpty
    }

    private mutating func spaces() {
        while let byte = rest.first, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { rest.removeFirst() }
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    private mutating func value() -> Bool {
        if take("null") || take("true") || take("false") { return true }
        switch rest.first {
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "["): return list("[", "]") { $0.value() }
        case UInt8(ascii: "{"):
            return list("{", "}") { validator in
                guard validator.string() else { return false }
                validator.spaces()
                guard validator.take(":") else { return false }
                validator.spaces()
                return validator.value()
            }
        default: return number()
        }
    }

    private mutating func list(
        _ open: String, _ close: String, _ item: (inout ReferenceValidator) -> Bool
    ) -> Bool {
        guard take(open) else { return false }
        spaces()
        if take(close) { return true }
        while true {
            guard item(&self) else { return false }
            spaces()
            if take(close) { return true }
            guard take(",") else { return false }
            spaces()
        }
    }

    private mutating func digits() -> Bool {
        let count = rest.prefix { (0x30...0x39).contains($0) }.count
        rest = rest.dropFirst(count)
        return count > 0
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0"), !digits() { return false }
        if take("."), !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"):
                guard let kind = rest.popFirst() else { return false }
                if kind == UInt8(ascii: "u") {
                    let hex = rest.prefix(4)
                    let isHex = hex.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
                    guard hex.count == 4, isHex else { return false }
                    rest = rest.dropFirst(4)
                } else if !"\"\\/bfnrt".utf8.contains(kind) {
                    return false
                }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }
}
