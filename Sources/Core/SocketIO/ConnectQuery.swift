internal import JSON

/// The query behind the namespace of a CONNECT packet of revision 4: `token=x&tag=a%20b`.
///
/// Read as the reference server does: `+` is a space, `%41` a byte, a name without `=` has an
/// empty value, of equal names the values make an array.
enum ConnectQuery {
    /// The object of strings that takes the place of what a client of revision 5 sends as its
    /// auth; nil for a query without items. What is not UTF-8 is repaired.
    static func auth(_ query: ArraySlice<UInt8>) -> JSONText? {
        var names: [String] = []
        var values: [String: [JSONValue]] = [:]
        for item in query.split(separator: UInt8(ascii: "&")) {
            let name = item.prefix { $0 != UInt8(ascii: "=") }
            let text = decode(name)
            if values[text] == nil { names.append(text) }
            values[text, default: []].append(.string(decode(item.dropFirst(name.count + 1))))
        }
        guard !names.isEmpty else { return nil }
        var members = JSONMembers()
        for name in names {
            let all = values[name] ?? []
            members.append(name, all.count == 1 ? all[0] : .array(all))
        }
        return JSONValue.object(members).json
    }

    private static func decode(_ text: ArraySlice<UInt8>) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let escaped = escape(rest.prefix(2)) {
                bytes.append(escaped)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The byte of two hexadecimal digits.
    private static func escape(_ digits: ArraySlice<UInt8>) -> UInt8? {
        // A sign would be taken for a digit.
        guard digits.count == 2, digits.allSatisfy({ $0 >= UInt8(ascii: "0") }) else { return nil }
        return UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
