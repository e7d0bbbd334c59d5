import Redis
import Rooms

/// Reads replies of the scripts; what does not fit is `RoomStoreError.corrupted`.
struct RedisReply {
    private var values: ArraySlice<RESPValue>

    init(_ value: RESPValue) throws(RoomStoreError) {
        guard let values = value.array else { throw .corrupted("reply: \(value.kind)") }
        self.values = values[...]
    }

    var isAtEnd: Bool { values.isEmpty }

    mutating func next() throws(RoomStoreError) -> RESPValue {
        guard let value = values.popFirst() else { throw .corrupted("reply: too short") }
        return value
    }

    mutating func version() throws(RoomStoreError) -> Version {
        guard let version = try next().version else { throw .corrupted("reply: version") }
        return version
    }

    mutating func optionalVersion() throws(RoomStoreError) -> Version? {
        let value = try next()
        if value.isNull { return nil }
        guard let version = value.version else { throw .corrupted("reply: version") }
        return version
    }

    /// The rest as entries: version, previous, JSON of each.
    mutating func entries() throws(RoomStoreError) -> [VersionedEntry] {
        var entries: [VersionedEntry] = []
        entries.reserveCapacity(values.count / 3)
        while !isAtEnd {
            let version = try version()
            let previous = try self.version()
            guard let bytes = try next().bytes else { throw .corrupted("log entry") }
            entries.append(
                VersionedEntry(
                    version: version, previous: previous, entry: try RoomEntry(stored: bytes[...])))
        }
        return entries
    }
}

extension RoomEntry {
    init(stored bytes: ArraySlice<UInt8>) throws(RoomStoreError) {
        do { try self.init(encoded: bytes) } catch { throw .corrupted("log entry: \(error)") }
    }
}

extension RESPValue {
    /// A version, as a number or a stream id.
    var version: Version? {
        guard let text = bytes else { return nil }
        let digits = text.hasSuffix("-0") ? text.dropLast(2) : text[...]
        return Version(digits: digits)
    }

    fileprivate var kind: String {
        switch self {
        case .null: "null"
        case .integer: "integer"
        case .simpleString: "status"
        case .bulkString: "string"
        case .error: "error"
        case .array: "array"
        }
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ suffix: StaticString) -> Bool {
        let length = suffix.utf8CodeUnitCount
        return suffix.withUTF8Buffer {
            count >= length && self[(count - length)...].elementsEqual($0)
        }
    }
}

extension Version {
    /// Decimal digits, below 2^53.
    init?(digits: some Collection<UInt8>) {
        guard (1...16).contains(digits.count) else { return nil }
        var value: Version = 0
        for digit in digits {
            guard (0x30...0x39).contains(digit) else { return nil }
            value = value * 10 + Version(digit - 0x30)
        }
        guard value < 1 << 53 else { return nil }
        self = value
    }
}
