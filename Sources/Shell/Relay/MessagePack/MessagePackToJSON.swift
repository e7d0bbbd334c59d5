import JSON
import SocketIO

/// Turns MessagePack into JSON as JavaScript's `JSON.stringify` would spell the same values, each
/// binary replaced by the placeholder of an attachment.
///
/// `undefined` is null, and a member of a map is left out; a date is its ISO text; NaN and the
/// infinities are null.
package struct MessagePackToJSON {
    /// The binaries met so far, in the order of their placeholders.
    package private(set) var attachments: [ArraySlice<UInt8>] = []
    private var hasLookalike = false

    package init() {}

    /// Appends the JSON of the value at which the reader stands.
    package mutating func write(
        _ reader: inout MessagePackReader, into output: inout [UInt8]
    ) throws(MessagePackError) {
        try write(try reader.next(), &reader, into: &output, depth: 0)
    }

    /// Fails if a receiver could not tell a value from a placeholder. Called after the last value.
    package func finish() throws(MessagePackError) {
        if hasLookalike, !attachments.isEmpty { throw MessagePackError(.placeholder) }
    }

    private mutating func write(
        _ token: MessagePackToken, _ reader: inout MessagePackReader,
        into output: inout [UInt8], depth: Int
    ) throws(MessagePackError) {
        switch token {
        case .null, .undefined: JSONValue.null.write(into: &output)
        case .bool(let value): JSONValue.bool(value).write(into: &output)
        case .int(let value): JSONValue.int(value).write(into: &output)
        case .uint(let value): output.append(contentsOf: String(value).utf8)
        case .double(let value):
            (value == 0 ? JSONValue.int(0) : .double(value)).write(into: &output)
        case .date(let milliseconds):
            JSONValue.optional(ISODate.text(milliseconds: milliseconds)).write(into: &output)
        case .string(let bytes):
            let text = try MessagePackReader.text(bytes, at: reader.offset)
            JSONValue.string(text).write(into: &output)
        case .binary(let bytes):
            Placeholder.value(attachments.count).write(into: &output)
            attachments.append(bytes)
        case .array(let count):
            guard depth < reader.limits.maxDepth else { throw reader.error(.depth) }
            try writeArray(count, &reader, into: &output, depth: depth + 1)
        case .map(let count):
            guard depth < reader.limits.maxDepth else { throw reader.error(.depth) }
            try writeMap(count, &reader, into: &output, depth: depth + 1)
        }
    }

    private mutating func writeArray(
        _ count: Int, _ reader: inout MessagePackReader, into output: inout [UInt8], depth: Int
    ) throws(MessagePackError) {
        output.append(UInt8(ascii: "["))
        for index in 0..<count {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            try write(try reader.next(), &reader, into: &output, depth: depth)
        }
        output.append(UInt8(ascii: "]"))
    }

    private mutating func writeMap(
        _ count: Int, _ reader: inout MessagePackReader, into output: inout [UInt8], depth: Int
    ) throws(MessagePackError) {
        output.append(UInt8(ascii: "{"))
        var isFirst = true
        for _ in 0..<count {
            let key = try reader.key()
            let value = try reader.next()
            if value == .undefined { continue }
            if key == "_placeholder", value == .bool(true) { hasLookalike = true }
            if !isFirst { output.append(UInt8(ascii: ",")) }
            isFirst = false
            JSONValue.string(key).write(into: &output)
            output.append(UInt8(ascii: ":"))
            try write(value, &reader, into: &output, depth: depth)
        }
        output.append(UInt8(ascii: "}"))
    }
}

extension JSONText {
    /// The JSON of one MessagePack value, and the binaries that its placeholders stand for.
    package static func decoding(
        messagePack bytes: ArraySlice<UInt8>, limits: MessagePackLimits = MessagePackLimits()
    ) throws(MessagePackError) -> (json: JSONText, attachments: [ArraySlice<UInt8>]) {
        var reader = try MessagePackReader(bytes, limits: limits)
        var converter = MessagePackToJSON()
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count + bytes.count / 4)
        try converter.write(&reader, into: &output)
        try reader.end()
        try converter.finish()
        return (JSONText(unchecked: output[...]), converter.attachments)
    }
}
