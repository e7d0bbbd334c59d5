import JSON

extension Lease {
    /// The start of the member that holds the beat; a number and a comma follow.
    static let beatMember = #""beat":"#

    /// One JSON object.
    var encoded: [UInt8] {
        let value: JSONValue = [
            "beat": .integer(beat), "incarnation": .string(incarnation),
            "instance": .string(instanceID), "url": .string(publicURL), "ready": .bool(isReady),
            "draining": .bool(isDraining), "clock": .integer(clock), "rooms": .integer(rooms),
            "users": .integer(users),
        ]
        return value.encoded
    }

    /// Nil for anything else.
    init?(encoded: ArraySlice<UInt8>) {
        guard let stored = try? JSONText(validating: encoded),
            let incarnation = stored["incarnation"]?.string,
            let instanceID = stored["instance"]?.string, let publicURL = stored["url"]?.string,
            let beat = stored["beat"]?.int, let isReady = stored["ready"]?.bool,
            let isDraining = stored["draining"]?.bool, let clock = stored["clock"]?.int
        else { return nil }
        self.init(
            incarnation: incarnation, instanceID: instanceID, publicURL: publicURL,
            beat: UInt64(clamping: beat), isReady: isReady, isDraining: isDraining,
            clock: UInt64(clamping: clock), rooms: Int(clamping: stored["rooms"]?.int ?? 0),
            users: Int(clamping: stored["users"]?.int ?? 0))
    }
}
