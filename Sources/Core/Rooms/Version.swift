/// The version of a log entry, and of the room after it. Rises strictly over all instances and
/// times (R23, R24), below 2^53; not dense. Zero: before any entry.
package typealias Version = UInt64
