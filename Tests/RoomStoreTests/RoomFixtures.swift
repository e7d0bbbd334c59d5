import JSON
import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms

/// Entries, batches and requests as tests write them.
enum Fixture {
    static func member(_ id: String, of holder: String = "one") -> Member {
        Member(id: id, name: id, credential: "", holder: holder, joinedAt: 1)
    }

    static func json(_ text: String) throws -> JSONText { try JSONText(text: text) }

    static func update(_ uuid: String, _ value: String) throws -> RoomEntry.Change {
        let data = try json(
            #"{"metadata":{},"object":{"uuid":"\#(uuid)","type":"Mesh","name":"\#(value)"}}"#)
        return .edited(
            .objectUpdate(uuid: uuid, data: data, changeType: "object-added"), by: "anna")
    }

    static func upload(_ children: String = "", padding: Int = 0) throws -> SceneUpload {
        let filler = String(repeating: "x", count: padding)
        let editor = try json(
            """
            {"metadata":{},"project":{},"camera":{"metadata":{},"object":{"uuid":"cam",\
            "type":"PerspectiveCamera"}},"scene":{"metadata":{},"object":{"uuid":"root",\
            "type":"Scene","name":"\(filler)","children":[\(children)]}},"scripts":{},\
            "history":{"undos":[],"redos":[]},"environment":null}
            """)
        return try SceneUpload(checking: editor)
    }

    static func entry(_ id: String, _ change: RoomEntry.Change? = nil) -> RoomEntry {
        RoomEntry(id: id, change: change ?? .renamed(memberID: "anna", name: id))
    }

    static func summary(_ room: String) -> RoomSummary {
        RoomSummary(RoomControl(id: room, epoch: 0))
    }

    static func creation(
        _ room: String = "room", origin: String = "one", id: String = "c.0",
        proposed: Version = 1000, padding: Int? = nil
    ) throws -> CreateRequest {
        let editor = try padding.map { try upload(padding: $0) }
        let created = RoomEntry.Change.created(
            creator: member("anna", of: origin), passwordHash: nil, editor: editor)
        return CreateRequest(
            room: room, origin: origin, entries: [entry(id, created)], proposed: proposed,
            summary: summary(room))
    }

    static func batch(
        _ room: String = "room", epoch: Version, origin: String = "one", _ entries: [RoomEntry],
        proposed: Version = 0, expected: Version, conditional: Bool = false
    ) -> CommitBatch {
        var summary = summary(room)
        summary.epoch = epoch
        summary.userCount = 7
        return CommitBatch(
            room: room, epoch: epoch, origin: origin, entries: entries, proposed: proposed,
            expected: expected, conditional: conditional, summary: summary)
    }
}

extension CreateOutcome {
    struct NotCreated: Error { let outcome: CreateOutcome }

    var epoch: Version {
        get throws {
            guard case .created(let epoch, _) = self else { throw NotCreated(outcome: self) }
            return epoch
        }
    }
}

extension CommitOutcome {
    struct NotCommitted: Error { let outcome: CommitOutcome }

    var first: Version {
        get throws {
            guard case .committed(_, let first, _) = self else {
                throw NotCommitted(outcome: self)
            }
            return first
        }
    }

    var isDurable: Bool? {
        if case .committed(_, _, let durable) = self { durable } else { nil }
    }
}

extension StoredRoom {
    /// What the room folds to.
    func state(_ room: String = "room") throws -> RoomState {
        var state =
            try checkpoint.map { try RoomState(checkpoint: $0[...]) }
            ?? RoomState(id: room, epoch: epoch)
        for entry in entries { state.fold(entry) }
        return state
    }
}

/// A wall clock and a version clock for one instance.
final class TestClock: Sendable {
    private let start = ContinuousClock.now
    private let clock = NIOLockedValueBox(VersionClock(wallMilliseconds: 1_700_000_000_000))

    func next() -> Version { clock.withLockedValue { $0.next(at: ContinuousClock.now - start) } }

    func observe(_ version: Version) {
        clock.withLockedValue { $0.observe(version, at: ContinuousClock.now - start) }
    }
}
