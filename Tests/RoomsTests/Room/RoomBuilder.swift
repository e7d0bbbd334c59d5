import JSON
import Rooms

/// Builds a room by committing what operations decide, as an instance does.
struct RoomBuilder {
    static let start: Version = 1_800_000_000_000 * VersionClock.unitsPerMillisecond

    var state: RoomState
    var log: [VersionedEntry] = []
    var limits = RoomLimits()
    /// Unix milliseconds.
    private(set) var now: Int64 = VersionClock.milliseconds(of: start)
    private var serial = 0

    init(password: String? = nil, editor: SceneUpload? = nil) {
        state = RoomState(id: "room-1", epoch: Self.start)
        let creator = RoomBuilder.member("host", credential: "c-host", joinedAt: now)
        let entry = RoomEntry(
            id: "e0", change: .created(creator: creator, passwordHash: password, editor: editor))
        append(VersionedEntry(version: Self.start, previous: 0, entry: entry))
    }

    static func member(
        _ id: String, credential: String? = nil, holder: String = "server-1#1",
        joinedAt: Int64 = 0, name: String? = nil
    ) -> Member {
        Member(
            id: id, name: name ?? id, credential: credential ?? "c-\(id)", holder: holder,
            joinedAt: joinedAt)
    }

    mutating func wait(milliseconds: Int64) { now += milliseconds }

    /// Decides, and commits what was decided.
    @discardableResult
    mutating func run(_ operation: RoomOperation) -> Decision {
        let decision = state.control.decide(operation, limits: limits)
        if case .commit(let changes, _) = decision {
            for change in changes {
                serial += 1
                let stamp = Version(now) * VersionClock.unitsPerMillisecond
                let version = max(state.version + 1, stamp)
                let entry = RoomEntry(id: "e\(serial)", change: change)
                append(VersionedEntry(version: version, previous: state.version, entry: entry))
            }
        }
        return decision
    }

    @discardableResult
    mutating func join(
        _ id: String, credential: String? = nil, holder: String = "server-1#1",
        verified: String? = nil, gone: Set<String> = []
    ) -> Decision {
        let member = RoomBuilder.member(
            id, credential: credential, holder: holder, joinedAt: now)
        return run(.join(Joiner(member: member, verifiedHash: verified, goneHolders: gone)))
    }

    var control: RoomControl { state.control }
    var memberIDs: [String] { control.membersBySeniority.map(\.id) }

    private mutating func append(_ entry: VersionedEntry) {
        state.fold(entry, limits: limits)
        log.append(entry)
    }
}

extension SceneUpload {
    static func scene(_ name: String) throws -> SceneUpload {
        let text = """
            {"metadata":{},"project":{},"camera":{"metadata":{"version":4.6,"type":"Object"},\
            "object":{"uuid":"cam","type":"PerspectiveCamera"}},"scene":{"metadata":{},\
            "geometries":[],"materials":[],"object":{"uuid":"root","type":"Scene","name":"\(name)",\
            "children":[]}},"scripts":{},"history":{"undos":[],"redos":[]},"environment":null}
            """
        return try SceneUpload(checking: JSONText(text: text))
    }
}
