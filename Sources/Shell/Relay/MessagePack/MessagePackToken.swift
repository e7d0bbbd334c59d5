/// One step through a MessagePack message: a scalar, or the head of a container whose values follow.
package enum MessagePackToken: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Above the range of `Int64`.
    case uint(UInt64)
    case double(Double)
    /// Not yet checked to be UTF-8.
    case string(ArraySlice<UInt8>)
    case binary(ArraySlice<UInt8>)
    /// So many values follow.
    case array(Int)
    /// So many pairs of key and value follow.
    case map(Int)
    /// JavaScript's `undefined`: extension type 0 of one byte.
    case undefined
    /// Milliseconds since 1970.
    case date(Double)
}
