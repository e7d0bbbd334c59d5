import JSON

/// What the list of rooms knows of one room. Written to the store with every commit.
package struct RoomSummary: Sendable, Hashable {
    package var id: String
    package var epoch: Version
    package var version: Version
    package var userCount: Int
    package var isProtected: Bool
    package var hasEditor: Bool
    package var hostName: String
    /// Unix milliseconds, 0 while somebody is in the room.
    package var emptySince: Int64
    /// How many members each instance incarnation holds.
    package var holders: [String: Int]

    package init(_ control: RoomControl) {
        id = control.id
        epoch = control.epoch
        version = control.version
        userCount = control.members.count
        isProtected = control.isProtected
        hasEditor = control.sceneVersion > 0
        hostName = control.hostName
        emptySince = control.emptySince
        holders = control.holders
    }

    package var createdAt: Int64 { VersionClock.milliseconds(of: epoch) }
    package var lastActivity: Int64 { VersionClock.milliseconds(of: version) }
}
