/// One valid JSON value: the bytes that spell it, without whitespace around it.
///
/// Passing a value on costs nothing: slices share the storage of the message they came from (and
/// keep it alive). Fields are read where they lie; nothing is decoded that nobody asks for.
/// Equality and hash are those of the bytes: `1.0` and `1` differ, so do `"a"` and `"\u0061"`.
public struct JSONText: Sendable, Hashable {
    /// The UTF-8 bytes of the value. Indices are those of the storage, not counted from zero.
    public let bytes: ArraySlice<UInt8>

    /// Checks that `bytes` are one JSON value by RFC 8259, whitespace around it allowed.
    public init(
        validating bytes: ArraySlice<UInt8>, limits: JSONLimits = JSONLimits()
    ) throws(JSONError) {
        let result = bytes.withUnsafeBufferPointer { buffer -> Result<Range<Int>, JSONError> in
            var validator = JSONValidator(buffer, limits: limits)
            do throws(JSONError) { return .success(try validator.validate()) } catch {
                return .failure(error)
            }
        }
        let range = try result.get()
        let base = bytes.startIndex
        self.bytes = bytes[base + range.lowerBound..<base + range.upperBound]
    }

    /// As `init(validating:limits:)`, from a string.
    public init(text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(validating: Array(text.utf8)[...], limits: limits)
    }

    /// Takes the caller's word that `bytes` are exactly one valid value. With other bytes reads
    /// give nil or nonsense, but stay inside `bytes`.
    public init(unchecked bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
    }

    public static let null = JSONText(unchecked: Array("null".utf8)[...])
    public static let emptyObject = JSONText(unchecked: Array("{}".utf8)[...])
    public static let emptyArray = JSONText(unchecked: Array("[]".utf8)[...])

    /// What the first byte says the value is.
    public var kind: JSONKind {
        switch bytes.first {
        case .quote: .string
        case .openBrace: .object
        case .openBracket: .array
        case UInt8(ascii: "t"), UInt8(ascii: "f"): .bool
        case UInt8(ascii: "n"), nil: .null
        default: .number
        }
    }

    /// The value as it is spelled.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    public static func == (left: JSONText, right: JSONText) -> Bool {
        left.bytes.elementsEqual(right.bytes)
    }

    public func hash(into hasher: inout Hasher) {
        bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    /// Runs `body` on the bytes, positions counted from zero.
    func scan<Result>(_ body: (JSONScanner) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { body(JSONScanner(bytes: $0)) }
    }

    func slice(_ range: Range<Int>) -> ArraySlice<UInt8> {
        bytes[bytes.startIndex + range.lowerBound..<bytes.startIndex + range.upperBound]
    }
}

extension JSONText: CustomStringConvertible {
    public var description: String { text }
}
