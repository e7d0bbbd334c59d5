import JSON

/// Writes the fields of a checkpoint: whole numbers as LEB128, bytes with their count before them.
struct CheckpointWriter {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ bytes: some Sequence<UInt8>) {
        self.bytes += bytes
    }

    mutating func number(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func count(_ value: Int) { number(UInt64(value)) }

    mutating func bytes(_ value: some Collection<UInt8>) {
        count(value.count)
        bytes += value
    }

    /// Absent: a zero; present: a one and the bytes.
    mutating func optional(_ value: (some Collection<UInt8>)?) {
        count(value == nil ? 0 : 1)
        if let value { bytes(value) }
    }
}

/// Reads what `CheckpointWriter` wrote. Any other bytes end in `SceneError.corruptCheckpoint`.
struct CheckpointReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) {
        rest = bytes
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func number() throws(SceneError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw .corruptCheckpoint }
            let part = UInt64(byte & 0x7F)
            guard (part << shift) >> shift == part else { throw .corruptCheckpoint }
            value |= part << shift
            if byte < 0x80 { return value }
        }
        throw .corruptCheckpoint
    }

    /// A number of things that take at least a byte each of what is left.
    mutating func count() throws(SceneError) -> Int {
        guard let value = Int(exactly: try number()), value <= rest.count else {
            throw .corruptCheckpoint
        }
        return value
    }

    /// A number that is no count of what follows.
    mutating func size() throws(SceneError) -> Int {
        guard let value = Int(exactly: try number()) else { throw .corruptCheckpoint }
        return value
    }

    mutating func flag() throws(SceneError) -> Bool {
        let value = try number()
        guard value <= 1 else { throw .corruptCheckpoint }
        return value == 1
    }

    mutating func bytes() throws(SceneError) -> ArraySlice<UInt8> {
        let count = try count()
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func string() throws(SceneError) -> String {
        guard let value = String(validating: try bytes(), as: UTF8.self) else {
            throw .corruptCheckpoint
        }
        return value
    }

    mutating func optionalString() throws(SceneError) -> String? {
        try flag() ? try string() : nil
    }

    /// A JSON value in storage of its own; of the given kind, if one is given.
    mutating func json(_ kind: JSONKind? = nil) throws(SceneError) -> JSONText {
        let bytes = try bytes()
        guard let text = try? JSONText(validating: Array(bytes)[...]),
            text.bytes.count == bytes.count, kind == nil || text.kind == kind
        else { throw .corruptCheckpoint }
        return text
    }

    mutating func optionalJSON() throws(SceneError) -> JSONText? {
        try flag() ? try json() : nil
    }

    mutating func object() throws(SceneError) -> [UInt8] { Array(try json(.object).bytes) }
}
