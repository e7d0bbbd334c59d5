internal import JSON

/// What stands before the payload of a packet.
struct PacketHeader {
    var type: PacketType
    /// Nil for the types that carry no attachments.
    var attachmentCount: Int?
    var namespace = "/"
    /// What stands behind the namespace in revision 4, without the `?`.
    var query: ArraySlice<UInt8> = []
    var id: UInt64?
    /// The rest of the message.
    var payload: ArraySlice<UInt8>

    /// Largest whole number that JavaScript counts up to without gaps.
    static let maxID: UInt64 = 1 << 53

    init(
        _ text: ArraySlice<UInt8>, limits: PacketLimits, revision: ProtocolRevision = .five
    ) throws(PacketError) {
        var rest = text
        guard let digit = rest.popFirst() else { throw .empty }
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "4"):
            guard let type = PacketType(rawValue: digit - UInt8(ascii: "0")) else {
                throw .unknownType
            }
            self.type = type
        case UInt8(ascii: "5"), UInt8(ascii: "6"):
            type = digit == UInt8(ascii: "5") ? .event : .ack
            attachmentCount = try Self.takeAttachmentCount(&rest, limits)
        default: throw .unknownType
        }
        let (namespace, query) = try Self.takeNamespace(&rest, limits, revision)
        if let namespace { self.namespace = namespace }
        self.query = query
        id = try Self.takeID(&rest)
        payload = rest
    }

    private static func takeAttachmentCount(
        _ rest: inout ArraySlice<UInt8>, _ limits: PacketLimits
    ) throws(PacketError) -> Int {
        let digits = rest.prefix { isDigit($0) }
        guard !digits.isEmpty, rest.dropFirst(digits.count).first == UInt8(ascii: "-") else {
            throw .attachmentCount
        }
        rest = rest.dropFirst(digits.count + 1)
        guard let count = number(digits), count <= UInt64(max(0, limits.maxAttachments)) else {
            throw .tooManyAttachments
        }
        return Int(count)
    }

    private static func takeNamespace(
        _ rest: inout ArraySlice<UInt8>, _ limits: PacketLimits, _ revision: ProtocolRevision
    ) throws(PacketError) -> (name: String?, query: ArraySlice<UInt8>) {
        guard rest.first == UInt8(ascii: "/") else { return (nil, []) }
        let name = rest.prefix(limits.maxNamespaceBytes + 1).prefix {
            $0 != UInt8(ascii: ",") && (revision == .five || $0 != UInt8(ascii: "?"))
        }
        guard name.count <= limits.maxNamespaceBytes else { throw .namespace }
        guard let text = String(validating: name, as: UTF8.self) else { throw .namespace }
        rest = rest.dropFirst(name.count)
        var query: ArraySlice<UInt8> = []
        if revision == .four, rest.first == UInt8(ascii: "?") {
            query = rest.dropFirst().prefix(limits.maxConnectQueryBytes + 1)
                .prefix { $0 != UInt8(ascii: ",") }
            guard query.count <= limits.maxConnectQueryBytes else { throw .namespace }
            rest = rest.dropFirst(query.count + 1)
        }
        rest = rest.dropFirst()
        return (text, query)
    }

    private static func takeID(
        _ rest: inout ArraySlice<UInt8>
    ) throws(PacketError) -> UInt64? {
        let digits = rest.prefix { isDigit($0) }
        guard !digits.isEmpty else { return nil }
        guard let id = number(digits), id <= maxID else { throw .ackID }
        rest = rest.dropFirst(digits.count)
        return id
    }

    /// Nil beyond the range of `UInt64`.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for digit in digits {
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carry) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = next
        }
        return value
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }
}
