import NIOCore

/// One argument of a command: text, bytes or a number, written as a bulk string.
package enum RESPArgument: Sendable, Hashable {
    case text(String)
    case bytes(ArraySlice<UInt8>)
    case integer(Int64)
    case buffer(ByteBuffer)

    package init(_ text: String) { self = .text(text) }
    package init(_ bytes: [UInt8]) { self = .bytes(bytes[...]) }
    package init(_ bytes: ArraySlice<UInt8>) { self = .bytes(bytes) }
    package init(_ buffer: ByteBuffer) { self = .buffer(buffer) }
    package init<Number: FixedWidthInteger>(_ number: Number) {
        if let small = Int64(exactly: number) {
            self = .integer(small)
        } else {
            self = .text(String(number))
        }
    }
}

extension RESPArgument: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
}
