/// A JSON value to be written.
///
///     let value: JSONValue = ["roomId": "a", "count": 3, "scene": .raw(text)]
public indirect enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Written as the shortest decimal that reads back the same, `1` rather than `1.0`;
    /// infinities and NaN are written as `null`, as JavaScript does.
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONMembers)
    /// A value embedded as it is spelled.
    case raw(JSONText)

    /// A whole number of any type, held to the range of `Int64`.
    public static func integer(_ value: some BinaryInteger) -> JSONValue {
        .int(Int64(clamping: value))
    }

    /// A string, or null.
    public static func optional(_ value: String?) -> JSONValue {
        value.map(JSONValue.string) ?? .null
    }

    /// An object of the given members, order kept.
    public static func members(_ members: some Sequence<(String, JSONValue)>) -> JSONValue {
        .object(JSONMembers(members))
    }

    /// The UTF-8 bytes of the value, without whitespace.
    public var encoded: [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(estimatedSize)
        write(into: &output)
        return output
    }

    /// The value as checked text.
    public var json: JSONText {
        if case .raw(let text) = self { return text }
        return JSONText(unchecked: encoded[...])
    }

    /// Bytes that the value will take, more or less; exact where it is nothing but text.
    package var estimatedSize: Int {
        switch self {
        case .null, .bool: 5
        case .int, .double: 16
        case .string(let value): value.utf8.count + 2
        case .raw(let text): text.bytes.count
        case .array(let elements): elements.reduce(2) { $0 + $1.estimatedSize + 1 }
        case .object(let members):
            members.reduce(2) { $0 + $1.key.utf8.count + $1.value.estimatedSize + 4 }
        }
    }

    /// Appends the UTF-8 bytes of the value, without whitespace.
    public func write(into output: inout [UInt8]) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .int(let value): output.append(contentsOf: String(value).utf8)
        case .double(let value): JSONWriter.write(value, into: &output)
        case .string(let value): JSONWriter.write(value, into: &output)
        case .raw(let text): output.append(contentsOf: text.bytes)
        case .array(let elements):
            output.append(.openBracket)
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(.comma) }
                element.write(into: &output)
            }
            output.append(.closeBracket)
        case .object(let members):
            output.append(.openBrace)
            for (index, member) in members.enumerated() {
                if index > 0 { output.append(.comma) }
                JSONWriter.write(member.key, into: &output)
                output.append(.colon)
                member.value.write(into: &output)
            }
            output.append(.closeBrace)
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .int(value) }
    public init(floatLiteral value: Double) { self = .double(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONMembers(elements))
    }
}
