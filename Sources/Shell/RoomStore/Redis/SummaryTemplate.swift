import Redis
import Rooms

/// A summary's JSON, cut where the script puts the version in: only it knows the number, and
/// copying text is cheaper than decoding JSON in Redis.
struct SummaryTemplate {
    let beforeEpoch: ArraySlice<UInt8>
    let beforeVersion: ArraySlice<UInt8>
    let afterVersion: ArraySlice<UInt8>

    init(_ summary: RoomSummary) {
        let bytes = summary.encoded
        let epoch = Self.value(of: #""epoch":"#, in: bytes)
        let version = Self.value(of: #""version":"#, in: bytes)
        beforeEpoch = bytes[..<epoch.lowerBound]
        beforeVersion = bytes[..<version.lowerBound]
        afterVersion = bytes[version.upperBound...]
    }

    /// Where the number of a member lies. In JSON the quotes of the name cannot occur within a
    /// string, so the first match is the member.
    private static func value(of name: String, in bytes: [UInt8]) -> Range<Int> {
        let name = Array(name.utf8)
        var start = 0
        while start + name.count <= bytes.count,
            !bytes[start..<start + name.count].elementsEqual(name)
        {
            start += 1
        }
        let from = min(start + name.count, bytes.count)
        let digits = bytes[from...].prefix { (0x30...0x39).contains($0) }
        return from..<digits.endIndex
    }
}
