import JSON
import NIOEmbedded
import RoomStore
import Rooms

/// A room's log: folding its entries, committing them.
enum RoomCases {
    static let all: [MicroCase] = [
        MicroCase(
            name: "room-fold-edit", unit: "edit of one of 1,000 objects",
            iterations: (500, 2_500), prepare: folding),
        MicroCase(
            name: "commit-1", unit: "batch of 1 edit, store in memory",
            iterations: (500, 2_500), prepare: { try committing(edits: 1) }),
        MicroCase(
            name: "commit-8", unit: "batch of 8 edits, store in memory",
            iterations: (200, 1_000), prepare: { try committing(edits: 8) }),
    ]

    private static func edited(_ number: Int) throws -> RoomEntry {
        let uuid = "object-\(number % 1_000)"
        let data = try JSONText(
            text: #"{"metadata":{},"object":\#(TextCases.edit(uuid, padding: 88))}"#)
        return RoomEntry(
            id: "e.\(number)",
            change: .edited(
                .objectUpdate(uuid: uuid, data: data, changeType: "general"), by: "anna"))
    }

    private static func scene(objects: Int) throws -> SceneUpload {
        let children = (0..<objects).map { TextCases.edit("object-\($0)", padding: 88) }
        return try SceneUpload(
            checking: JSONText(
                text: """
                    {"metadata":{},"project":{},"camera":{"metadata":{},"object":{"uuid":"cam",\
                    "type":"PerspectiveCamera"}},"scene":{"metadata":{},"object":{"uuid":"root",\
                    "type":"Scene","children":[\(children.joined(separator: ","))]}},\
                    "scripts":{},"history":{"undos":[],"redos":[]},"environment":null}
                    """))
    }

    private static func creation() throws -> RoomEntry {
        let anna = Member(id: "anna", name: "Anna", credential: "", holder: "one", joinedAt: 1)
        return RoomEntry(
            id: "c.0",
            change: .created(creator: anna, passwordHash: nil, editor: try scene(objects: 1_000)))
    }

    @Sendable private static func folding() throws -> (Int) throws -> Void {
        var state = RoomState(id: "room", epoch: 1)
        state.fold(VersionedEntry(version: 1, previous: 0, entry: try creation()))
        let edits = try (0..<64).map(edited)
        return { count in
            for number in 0..<count {
                let version = state.version
                state.fold(
                    VersionedEntry(
                        version: version + 1, previous: version, entry: edits[number & 63]))
            }
            guard state.version == Version(count) + 1, state.scene.objectCount > 1_000 else {
                throw MicroError(description: "the edits were not folded")
            }
            keep(state)
        }
    }

    private static func committing(edits: Int) throws -> (Int) throws -> Void {
        let loop = EmbeddedEventLoop()
        let store = MemoryRoomStore(group: loop)
        let summary = RoomSummary(RoomControl(id: "room", epoch: 1))
        let created = store.create(
            CreateRequest(
                room: "room", origin: "one", entries: [try creation()], proposed: 1,
                summary: summary))
        loop.run()
        guard case .created(let epoch, _) = try created.wait() else {
            throw MicroError(description: "the room was not created")
        }
        let entries = try (0..<edits).map(edited)
        return { count in
            var head = epoch
            for _ in 0..<count {
                let committed = store.commit(
                    CommitBatch(
                        room: "room", epoch: epoch, origin: "one", entries: entries, proposed: head,
                        expected: head, conditional: false, summary: summary))
                loop.run()
                guard case .committed(_, let first, _) = try committed.wait() else {
                    throw MicroError(description: "the batch was not committed")
                }
                head = first + Version(edits) - 1
            }
        }
    }
}
