/// What a client keeps of its place in a room's log, and shows when it comes back after a break.
///
/// Offset V says: the client has been sent everything up to V that it should have. On the wire
/// `<room>.<epoch>.<version>`, the numbers in base 36; `.s` behind it where a full scene came with
/// it. Example: `studio.a1b2c3d4e5.a1b2c3d4f0`. It comes from clients, so nothing follows from
/// it but where to read.
package struct RoomOffset: Sendable, Hashable {
    package var room: String
    package var epoch: Version
    package var version: Version
    /// The last thing sent was a full scene. What the client itself did while that was on its way
    /// is lost to it by applying the scene, though not to the room.
    package var followsScene: Bool

    package init(room: String, epoch: Version, version: Version, followsScene: Bool = false) {
        self.room = room
        self.epoch = epoch
        self.version = version
        self.followsScene = followsScene
    }

    /// As it is sent.
    package var text: String {
        Self.prefix(room: room, epoch: epoch) + Self.suffix(version, followsScene: followsScene)
    }

    /// What all offsets of one room begin with.
    package static func prefix(room: String, epoch: Version) -> String {
        "\(room).\(String(epoch, radix: 36))."
    }

    /// What follows `prefix`.
    package static func suffix(_ version: Version, followsScene: Bool) -> String {
        String(version, radix: 36) + (followsScene ? ".s" : "")
    }

    /// Nil for anything but what `text` writes, letter by letter.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.maximumBytes else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 || parts.count == 4 && parts[3] == "s",
            RoomRules.isValidRoomID(String(parts[0])),
            let epoch = Self.number(parts[1]), let version = Self.number(parts[2]),
            epoch <= version
        else { return nil }
        self.init(
            room: String(parts[0]), epoch: epoch, version: version,
            followsScene: parts.count == 4)
    }

    /// A longest room id, two longest numbers, dots and mark.
    private static let maximumBytes = 50 + 2 * (maximumDigits + 1) + 2
    /// Of 2^53 - 1.
    private static let maximumDigits = 11

    private static func number(_ digits: Substring) -> Version? {
        guard (1...maximumDigits).contains(digits.utf8.count), digits.utf8.first != 0x30 else {
            return nil
        }
        var value: Version = 0
        for byte in digits.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value * 36 + Version(byte - 0x30)
            case UInt8(ascii: "a")...UInt8(ascii: "z"):
                value = value * 36 + Version(byte - 0x61 + 10)
            default: return nil
            }
        }
        return value < 1 << 53 ? value : nil
    }
}
