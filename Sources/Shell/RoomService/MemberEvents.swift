import JSON

/// What the members of a room are told about one another.
enum MemberEvents {
    static func joined(_ memberID: String, _ name: String, userCount: Int) -> JSONValue {
        [
            "userId": .string(memberID), "userName": .string(name),
            "userCount": .integer(userCount),
        ]
    }

    static func left(_ memberID: String, _ name: String, userCount: Int) -> JSONValue {
        joined(memberID, name, userCount: userCount)
    }

    static func renamed(_ memberID: String, to name: String, from oldName: String) -> JSONValue {
        [
            "userId": .string(memberID), "userName": .string(name), "oldName": .string(oldName),
        ]
    }
}
