import JSON

/// One thing that happened in a room, decided: folding it needs no further choice.
package struct RoomEntry: Sendable, Hashable {
    /// Unique over all instances; tells after an outage whether the store had it already.
    package var id: String
    package var change: Change
    /// For an edit that came over from another side of a partition: the version under which it was
    /// committed there.
    package var madeAt: Version?

    package enum Change: Sendable, Hashable {
        case created(creator: Member, passwordHash: String?, editor: SceneUpload?)
        case joined(Member, replacing: String?, takesHost: Bool)
        /// `name`: the member's; empty in entries of older versions.
        case left(memberID: String, cause: LeaveCause, name: String = "")
        /// `from`: the name before; empty in entries of older versions.
        case renamed(memberID: String, name: String, from: String = "")
        /// The member's connection broke; `holder` waits a while for the client to come back.
        case away(memberID: String, holder: String)
        /// The client came back as the same member, to the instance `holder`. The others are told
        /// nothing.
        case moved(memberID: String, holder: String)
        case hostHandedOver(memberID: String)
        case edited(SceneEdit, by: String)
        case uploaded(SceneUpload, by: String)
        case deleted(by: String)
    }

    package init(id: String, change: Change, madeAt: Version? = nil) {
        self.id = id
        self.change = change
        self.madeAt = madeAt
    }
}

/// A full scene with the hash that recognises its repetition (R18).
package struct SceneUpload: Sendable, Hashable {
    package var editorData: JSONText
    package var hash: String

    package init(editorData: JSONText, hash: String) {
        self.editorData = editorData
        self.hash = hash
    }

    /// A scene as a client sent it, if it can be stored.
    package init(checking editorData: JSONText) throws(SceneError) {
        let hash = try SceneDocument.contentHash(ofUpload: editorData)
        self.init(editorData: editorData, hash: String(hash, radix: 16))
    }
}

/// An entry at its place in the log. `previous` is the version before it: versions rise but are not
/// dense, so a gap shows.
package struct VersionedEntry: Sendable, Hashable {
    package var version: Version
    package var previous: Version
    package var entry: RoomEntry

    package init(version: Version, previous: Version, entry: RoomEntry) {
        self.version = version
        self.previous = previous
        self.entry = entry
    }

    /// Unix milliseconds at which the entry was committed.
    package var milliseconds: Int64 { VersionClock.milliseconds(of: version) }
}
