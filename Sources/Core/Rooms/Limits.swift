/// Limits of rooms. Beyond a limit the operation is refused with the code named.
package struct RoomLimits: Sendable, Hashable {
    /// Members of one room, on all instances together. Beyond: `ROOM_FULL`.
    package var members = 5_000
    /// Credentials that stay authorised for a protected room. Beyond: the longest unseen is dropped
    /// and needs the password again.
    package var authorisedCredentials = 4_096
    /// How long a credential stays authorised after it was last seen, in milliseconds.
    package var authorisationMilliseconds: Int64 = 12 * 3_600_000
    /// How long a disconnected host keeps the role, in milliseconds (`HOST_GRACE`).
    package var hostGraceMilliseconds: Int64 = 60_000

    package init() {}
}

/// The rules for what people type.
package enum RoomRules {
    package static let roomIDLength = 3...50
    package static let passwordMinimumLength = 4
    /// In UTF-8 bytes: bounds the cost of hashing.
    package static let passwordMaximumBytes = 1_024
    package static let nameMaximumLength = 30
    package static let anonymousName = "Anónimo"

    /// 3 to 50 characters of `A-Z a-z 0-9 _ -`.
    package static func isValidRoomID(_ id: String) -> Bool {
        roomIDLength.contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// At least 4 characters, at most 1,024 bytes.
    package static func isAcceptablePassword(_ password: String?) -> Bool {
        guard let password else { return false }
        return password.count >= passwordMinimumLength
            && password.utf8.count <= passwordMaximumBytes
    }

    /// The name as shown: trimmed, without `< > " ' &` and control characters, cut at 30 characters;
    /// nothing left gives `Anónimo`.
    package static func displayName(_ raw: String?) -> String {
        guard let raw else { return anonymousName }
        let kept = raw.unicodeScalars.filter { scalar in
            switch scalar {
            case "<", ">", "\"", "'", "&": false
            default: scalar.value >= 0x20 && !(0x7f...0x9f).contains(scalar.value)
            }
        }
        let cleaned = Substring(String(String.UnicodeScalarView(kept)))
        let name = cut(trimmed(cleaned))
        return name.isEmpty ? anonymousName : name
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var rest = text.drop(while: \.isWhitespace)
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return rest
    }

    /// At most 30 characters, and at most 4 scalars a character, so that stacked marks cannot make
    /// a name of any size.
    private static func cut(_ text: Substring) -> String {
        let scalars = text.unicodeScalars.prefix(nameMaximumLength * 4)
        return String(trimmed(String(String.UnicodeScalarView(scalars)).prefix(nameMaximumLength)))
    }
}
