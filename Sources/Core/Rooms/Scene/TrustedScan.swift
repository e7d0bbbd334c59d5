import JSON

/// Moves over the bytes of valid JSON once, from the front, and counts how deep values nest.
///
/// On bytes that are not valid JSON it gives nonsense or throws, and never reads past the end.
struct TrustedScan {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// The next byte that is neither whitespace, comma nor colon.
    mutating func next() throws(SceneError) -> UInt8 {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","), UInt8(ascii: ":"): position += 1
            case let byte: return byte
            }
        }
        throw .malformed("JSON")
    }

    /// Steps over a string, the opening quote being at `position`; gives its place with quotes.
    mutating func string() throws(SceneError) -> Range<Int> {
        let start = position
        position += 1
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                position += 1
                return start..<position
            case UInt8(ascii: "\\"): position += 2
            default: position += 1
            }
        }
        throw .malformed("JSON")
    }

    /// Steps over the value at `position`.
    mutating func value(named name: String) throws(SceneError) -> Range<Int> {
        let start = position
        switch try next() {
        case UInt8(ascii: "\""): return try string()
        case UInt8(ascii: "{"), UInt8(ascii: "["): try container(named: name)
        default: scalar()
        }
        return start..<position
    }

    private mutating func scalar() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "}"),
                UInt8(ascii: "]"):
                return
            default: position += 1
            }
        }
    }

    private mutating func container(named name: String) throws(SceneError) {
        var depth = 0
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                _ = try string()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                guard depth <= SceneLimits.valueDepth else {
                    throw .tooDeep(name, limit: SceneLimits.valueDepth)
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            position += 1
            if depth == 0 { return }
        }
        throw .malformed("JSON")
    }

    /// Throws if the value nests deeper than `SceneLimits.valueDepth`.
    static func checkDepth(_ text: JSONText, _ name: String) throws(SceneError) {
        try text.bytes.withUnsafeBufferPointer { (buffer) throws(SceneError) in
            guard !buffer.isEmpty else { return }
            var scan = TrustedScan(buffer)
            _ = try scan.value(named: name)
        }
    }

    /// Calls `body` with every string in the bytes, member names included, without its quotes and
    /// as it is spelled.
    static func forEachString(
        in bytes: UnsafeBufferPointer<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) {
        var scan = TrustedScan(bytes)
        while scan.position < bytes.count {
            guard bytes[scan.position] == UInt8(ascii: "\"") else {
                scan.position += 1
                continue
            }
            guard let range = try? scan.string() else { return }
            body(UnsafeBufferPointer(rebasing: bytes[range.dropFirst().dropLast()]))
        }
    }
}
