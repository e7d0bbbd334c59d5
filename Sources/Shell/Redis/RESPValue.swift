/// One reply of Redis in RESP2.
///
/// Source: Redis serialization protocol specification, version 2.
package enum RESPValue: Sendable, Hashable {
    case null
    case integer(Int64)
    /// A status line such as `OK`.
    case simpleString([UInt8])
    case bulkString([UInt8])
    /// An error line as the server wrote it: `CODE message`.
    case error(String)
    case array([RESPValue])
}

extension RESPValue {
    /// The bytes of a bulk or simple string.
    package var bytes: [UInt8]? {
        switch self {
        case .bulkString(let bytes), .simpleString(let bytes): bytes
        default: nil
        }
    }

    /// The text of a bulk or simple string; invalid UTF-8 is repaired.
    package var string: String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    /// An integer reply, or a string of decimal digits as `HGET` returns a counter.
    package var int: Int64? {
        if case .integer(let value) = self { return value }
        return string.flatMap { Int64($0) }
    }

    package var array: [RESPValue]? {
        if case .array(let values) = self { return values }
        return nil
    }

    package var isNull: Bool { self == .null }
}
