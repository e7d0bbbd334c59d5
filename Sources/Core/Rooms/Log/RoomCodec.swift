import JSON

/// Stored bytes that are not what this version of the code writes.
package struct RoomCodecError: Error, Sendable, Hashable, CustomStringConvertible {
    package let field: String
    package var description: String { "stored room data: no usable '\(field)'" }
}

/// Reads fields of a stored object; a missing or wrong one is named in the error.
struct StoredObject {
    let text: JSONText

    init(_ bytes: ArraySlice<UInt8>) throws(RoomCodecError) {
        guard let text = try? JSONText(validating: bytes), text.kind == .object else {
            throw RoomCodecError(field: "object")
        }
        self.text = text
    }

    init(_ text: JSONText?, _ name: String) throws(RoomCodecError) {
        guard let text, text.kind == .object else { throw RoomCodecError(field: name) }
        self.text = text
    }

    func optional(_ name: String) -> JSONText? {
        guard let value = text[key: name], !value.isNull else { return nil }
        return value
    }

    func json(_ name: String) throws(RoomCodecError) -> JSONText {
        guard let value = text[key: name] else { throw RoomCodecError(field: name) }
        return value
    }

    func string(_ name: String) throws(RoomCodecError) -> String {
        guard let value = text[key: name]?.string else { throw RoomCodecError(field: name) }
        return value
    }

    func int(_ name: String) throws(RoomCodecError) -> Int64 {
        guard let value = text[key: name]?.int else { throw RoomCodecError(field: name) }
        return value
    }

    func version(_ name: String) throws(RoomCodecError) -> Version {
        guard let value = Version(exactly: try int(name)) else {
            throw RoomCodecError(field: name)
        }
        return value
    }

    /// Unix milliseconds, within what may be added and subtracted without a thought.
    func time(_ name: String) throws(RoomCodecError) -> Int64 {
        let value = try int(name)
        guard Self.times.contains(value) else { throw RoomCodecError(field: name) }
        return value
    }

    static let times: ClosedRange<Int64> = 0...(1 << 53)

    func bool(_ name: String) throws(RoomCodecError) -> Bool {
        guard let value = text[key: name]?.bool else { throw RoomCodecError(field: name) }
        return value
    }
}

extension Member {
    var json: JSONValue {
        var members = JSONMembers([
            ("id", .string(id)), ("name", .string(name)), ("credential", .string(credential)),
            ("holder", .string(holder)), ("joined", .int(joinedAt)),
        ])
        if !returnKey.isEmpty { members.append("key", .string(returnKey)) }
        if isAway { members.append("away", true) }
        return .object(members)
    }

    init(_ stored: StoredObject) throws(RoomCodecError) {
        self.init(
            id: try stored.string("id"), name: try stored.string("name"),
            credential: try stored.string("credential"), holder: try stored.string("holder"),
            joinedAt: try stored.time("joined"),
            returnKey: stored.optional("key")?.string ?? "",
            isAway: stored.optional("away")?.bool ?? false)
    }
}

extension SceneUpload {
    var json: JSONValue { ["hash": .string(hash), "editor": .raw(editorData)] }

    init(_ stored: StoredObject) throws(RoomCodecError) {
        self.init(editorData: try stored.json("editor"), hash: try stored.string("hash"))
    }
}

extension RoomSummary {
    /// One JSON object.
    package var encoded: [UInt8] {
        let held = holders.sorted { $0.key < $1.key }
            .map { ($0.key, JSONValue.integer($0.value)) }
        let value: JSONValue = [
            "id": .string(id), "epoch": .integer(epoch), "version": .integer(version),
            "users": .integer(userCount), "protected": .bool(isProtected),
            "editor": .bool(hasEditor), "host": .string(hostName), "empty": .int(emptySince),
            "holders": .members(held),
        ]
        return value.encoded
    }

    package init(encoded: ArraySlice<UInt8>) throws(RoomCodecError) {
        let stored = try StoredObject(encoded)
        id = try stored.string("id")
        epoch = try stored.version("epoch")
        version = try stored.version("version")
        userCount = Int(clamping: try stored.int("users"))
        isProtected = try stored.bool("protected")
        hasEditor = try stored.bool("editor")
        hostName = try stored.string("host")
        emptySince = try stored.time("empty")
        var held: [String: Int] = [:]
        let members = try stored.json("holders")
        members.forEachMember { held[$0.string] = Int(clamping: $1.int ?? 0) }
        holders = held
    }
}
