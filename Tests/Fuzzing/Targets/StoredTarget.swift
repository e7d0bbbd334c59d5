import JSON

@testable import RoomStore
@testable import Rooms

extension FuzzTarget {
    /// Bytes that come from Redis as stored rooms: entries, summaries, leases, notices,
    /// checkpoints. Whoever can write to Redis can break a room, never a process.
    static let stored = FuzzTarget(name: "stored", maxBytes: 32 << 10) { input in
        if let entry = try? RoomEntry(encoded: input[...]) {
            let again = try RoomEntry(encoded: entry.encoded[...])
            try require(again.encoded == entry.encoded, "an entry changes when stored")
            fold(entry)
        }
        if let summary = try? RoomSummary(encoded: input[...]) {
            try require(
                try RoomSummary(encoded: summary.encoded[...]) == summary, "a summary changes")
        }
        if let notice = RedisNotice(input) { _ = notice.roomNotice() }
        // Not stored, but kept by clients: their place in a room's log.
        let text = String(decoding: input, as: UTF8.self)
        if let offset = RoomOffset(text) {
            try require(offset.text == text, "a place has two spellings")
        }
        if let state = try? RoomState(checkpoint: input[...]) { use(state) }
        if let state = try? RoomState(checkpoint: withChecksum(input)[...]) { use(state) }
    }

    private static func fold(_ entry: RoomEntry) {
        var state = RoomState(id: "room", epoch: 1)
        for version in [2, Version.max] {
            state.fold(VersionedEntry(version: version, previous: version - 1, entry: entry))
        }
        use(state)
    }

    /// What is done with a room that was read.
    private static func use(_ state: RoomState) {
        var state = state
        let control = state.control
        let joiner = Joiner(
            member: Member(
                id: "new", name: "n", credential: "c", holder: "h", joinedAt: 1_800_000_000_000),
            verifiedHash: nil)
        let operations: [RoomOperation] = [
            .join(joiner), .checkHost(nowMilliseconds: 1_800_000_000_000), .sweep(holder: "h"),
            .leave(memberID: control.hostID ?? "", cause: .left),
        ]
        for operation in operations {
            guard case .commit(let changes, _) = control.decide(operation, limits: RoomLimits())
            else { continue }
            for change in changes {
                state.fold(
                    VersionedEntry(
                        version: state.version, previous: 0,
                        entry: RoomEntry(id: "x", change: change)))
            }
        }
        _ = RoomSummary(state.control).encoded
        _ = state.scene.editorData()
        _ = state.checkpoint()
    }

    /// The scene of a checkpoint with the checksum that its bytes ask for: the fuzzer cannot guess
    /// it.
    private static func withChecksum(_ input: [UInt8]) -> [UInt8] {
        guard let scene = input.firstRange(of: "TSCN".utf8)?.lowerBound, input.count - scene > 8
        else { return [] }
        var hasher = ContentHasher()
        hasher.combine(input[scene...].dropLast(8))
        let checksum = hasher.finish()
        return input.dropLast(8) + (0..<8).map { UInt8(checksum >> ($0 * 8) & 0xFF) }
    }
}
