import NIOCore

/// Writes commands as RESP2 arrays of bulk strings.
///
/// `GET a` is `*2\r\n$3\r\nGET\r\n$1\r\na\r\n`.
package enum RESPEncoder {
    /// An upper bound of what `encode` writes for `arguments`, in bytes.
    package static func sizeBound(_ arguments: [RESPArgument]) -> Int {
        arguments.reduce(headerBound) { sum, argument in
            let (next, overflow) = sum.addingReportingOverflow(headerBound + byteCount(argument))
            return overflow ? .max : next
        }
    }

    package static func encode(_ arguments: [RESPArgument], into buffer: inout ByteBuffer) {
        writeHeader("*", arguments.count, into: &buffer)
        for argument in arguments {
            switch argument {
            case .text(let text):
                writeHeader("$", text.utf8.count, into: &buffer)
                buffer.writeString(text)
            case .bytes(let bytes):
                writeHeader("$", bytes.count, into: &buffer)
                buffer.writeBytes(bytes)
            case .integer(let number):
                let digits = String(number)
                writeHeader("$", digits.utf8.count, into: &buffer)
                buffer.writeString(digits)
            case .buffer(let bytes):
                writeHeader("$", bytes.readableBytes, into: &buffer)
                buffer.writeImmutableBuffer(bytes)
            }
            buffer.writeStaticString("\r\n")
        }
    }

    /// Type byte, at most 20 digits, and the line ends around header and body.
    private static let headerBound = 25

    private static func byteCount(_ argument: RESPArgument) -> Int {
        switch argument {
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .integer: 20
        case .buffer(let buffer): buffer.readableBytes
        }
    }

    private static func writeHeader(
        _ type: StaticString, _ count: Int, into buffer: inout ByteBuffer
    ) {
        buffer.writeStaticString(type)
        buffer.writeString(String(count))
        buffer.writeStaticString("\r\n")
    }
}
