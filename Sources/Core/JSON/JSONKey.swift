/// The name of an object's member, as it is spelled; comparisons see through escapes.
public struct JSONKey: Sendable, Hashable, CustomStringConvertible {
    /// The bytes between the quotes, escapes not resolved.
    public let raw: ArraySlice<UInt8>

    init(raw: ArraySlice<UInt8>) {
        self.raw = raw
    }

    /// The name without its escapes.
    public var string: String { JSONUnescape.string(raw) }

    public var description: String { string }

    /// Whether the name is the given UTF-8 text.
    public func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        // Escapes are longer than what they stand for.
        guard raw.count >= name.count else { return false }
        return raw.withUnsafeBufferPointer { bytes in
            guard bytes.contains(.backslash) else {
                return bytes.count == name.count && bytes.elementsEqual(name)
            }
            return JSONUnescape.bytes(raw).elementsEqual(name)
        }
    }

    public static func == (key: JSONKey, name: StaticString) -> Bool {
        name.withUTF8Buffer { key.matches($0) }
    }

    public static func == (key: JSONKey, name: String) -> Bool {
        var name = name
        return name.withUTF8 { key.matches($0) }
    }

    public static func != (key: JSONKey, name: String) -> Bool { !(key == name) }

    /// So that `switch key { case "roomId": … }` works.
    public static func ~= (name: String, key: JSONKey) -> Bool { key == name }

    public static func == (left: JSONKey, right: JSONKey) -> Bool { left.string == right.string }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(string)
    }
}
