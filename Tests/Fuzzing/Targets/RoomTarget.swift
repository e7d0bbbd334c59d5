import JSON

@testable import Rooms

extension FuzzTarget {
    /// What happens in a room, a line each: letter of the operation, member, the rest its
    /// argument (`RoomModel.operation`). Decided, committed and folded as the server does.
    static let room = FuzzTarget(name: "room", maxBytes: 32 << 10) { input in
        var input = FuzzInput(input)
        var model = RoomModel(seed: input.byte())
        while let line = input.line(), try model.perform(line) {}
        try model.checkEnd()
    }
}

/// A room with its log, a second copy that started from a checkpoint, and the rules for both.
private struct RoomModel {
    private static let epoch: Version = 1_800_000_000_000 * 2_048
    private let seed: UInt8
    private var clock = VersionClock(wallMilliseconds: 1_800_000_000_000)
    private var now = Duration.zero
    private var limits = RoomLimits()
    private var state = RoomState(id: "room", epoch: Self.epoch)
    private var copy: RoomState?
    private var log: [VersionedEntry] = []

    init(seed: UInt8) {
        self.seed = seed
        limits.members = 8
        limits.authorisedCredentials = 3
        let creator = Self.member(UInt8(ascii: "0"), [], at: 1_800_000_000_000)
        let hash = seed & 1 == 1 ? "hash" : nil
        append([.created(creator: creator, passwordHash: hash, editor: nil)])
    }

    /// False when the room is deleted.
    mutating func perform(_ line: ArraySlice<UInt8>) throws -> Bool {
        now += .milliseconds(1)
        let letter = line.first ?? 0
        let who = line.dropFirst().first ?? UInt8(ascii: "0")
        let rest = line.dropFirst(2)
        switch letter {
        case UInt8(ascii: "t"): now += .seconds(Int64(who) * 30)
        case UInt8(ascii: "c"): copy = try Self.restored(state)
        default:
            guard let operation = operation(letter, who, rest) else { return true }
            try decide(operation)
        }
        if case .deleted = log.last?.entry.change { return false }
        return true
    }

    private func operation(
        _ letter: UInt8, _ who: UInt8, _ rest: ArraySlice<UInt8>
    ) -> RoomOperation? {
        let at = clock.milliseconds(at: now)
        let id = Self.id(who)
        switch letter {
        case UInt8(ascii: "j"):
            var joiner = Joiner(
                member: Self.member(who, rest, at: at),
                verifiedHash: rest.last == UInt8(ascii: "!") ? "hash" : nil)
            if rest.contains(UInt8(ascii: "g")) { joiner.goneHolders = ["h1"] }
            return .join(joiner)
        case UInt8(ascii: "l"): return .leave(memberID: id, cause: .left)
        case UInt8(ascii: "d"): return .leave(memberID: id, cause: .disconnected)
        case UInt8(ascii: "n"):
            return .rename(memberID: id, name: String(decoding: rest, as: UTF8.self))
        case UInt8(ascii: "D"): return .delete(by: id)
        case UInt8(ascii: "s"): return .sweep(holder: "h\(who & 3)")
        case UInt8(ascii: "h"): return .checkHost(nowMilliseconds: at)
        case UInt8(ascii: "e"): return edit(rest, by: id)
        case UInt8(ascii: "u"): return upload(rest, by: id)
        default: return nil
        }
    }

    private func edit(_ rest: ArraySlice<UInt8>, by id: String) -> RoomOperation? {
        guard let letter = rest.first, let payload = try? JSONText(validating: rest.dropFirst()),
            let edit = SceneLine.edit(letter, payload),
            (try? state.scene.check(edit)) != nil
        else { return nil }
        return .edit(edit, by: id)
    }

    private func upload(_ rest: ArraySlice<UInt8>, by id: String) -> RoomOperation? {
        guard let letter = rest.first, let data = try? JSONText(validating: rest.dropFirst()),
            let upload = try? SceneUpload(checking: data)
        else { return nil }
        return .upload(upload, by: id, basedOn: letter & 1 == 1 ? state.version : 0)
    }

    private static func id(_ who: UInt8) -> String { "m\(who & 15)" }

    private static func member(_ who: UInt8, _ rest: ArraySlice<UInt8>, at: Int64) -> Member {
        let digits = Array(rest.prefix(2))
        return Member(
            id: id(who), name: "n", credential: digits.isEmpty ? "" : "c\(digits[0] & 3)",
            holder: "h\(digits.count < 2 ? 0 : digits[1] & 3)", joinedAt: at)
    }

    // MARK: Rules

    private mutating func decide(_ operation: RoomOperation) throws {
        let before = state.control
        switch before.decide(operation, limits: limits) {
        case .commit(let changes, _):
            try require(!changes.isEmpty, "a commit of nothing")
            append(changes)
        case .unchanged, .stale, .refused: break
        }
        try check(after: before)
    }

    private mutating func append(_ changes: [RoomEntry.Change]) {
        for change in changes {
            let previous = log.last?.version ?? 0
            let version = log.isEmpty ? Self.epoch : clock.next(at: now)
            let entry = VersionedEntry(
                version: version, previous: previous,
                entry: RoomEntry(id: "e\(log.count)", change: change))
            clock.observe(version, at: now)
            log.append(entry)
            state.fold(entry, limits: limits)
            copy?.fold(entry, limits: limits)
        }
    }

    private func check(after before: RoomControl) throws {
        let control = state.control
        try require(control.version >= before.version, "the version falls")
        try require(control.members.count <= limits.members, "more members than allowed")
        if case .deleted = log.last?.entry.change { return }
        try require(control.hostID == nil || control.host != nil, "the host is no member")
        try require(
            control.hostID != nil || control.hostAbsentSince > 0, "no host, and not since when")
        try require(
            (control.emptySince > 0) == control.members.isEmpty, "empty or not, and since when")
        try require(
            control.holders.values.reduce(0, +) == control.members.count, "holders do not add up")
        try require(
            control.sceneVersion <= control.version
                && control.othersSceneVersion <= control.sceneVersion, "scene versions")
        try require(
            control.authorised.count <= limits.authorisedCredentials + limits.members,
            "more credentials than allowed")
    }

    private static func restored(_ state: RoomState) throws -> RoomState {
        let stored = state.checkpoint()
        let restored = try RoomState(checkpoint: stored[...])
        try require(restored.control == state.control, "a checkpoint changes the room")
        try require(restored.checkpoint() == stored, "a checkpoint changes the scene")
        return restored
    }

    /// The log tells the same room however it is read: entry by entry from its stored form, in a
    /// disorder, from a checkpoint on.
    func checkEnd() throws {
        for entry in log {
            let again = try RoomEntry(encoded: entry.entry.encoded[...])
            try require(again == entry.entry, "\(entry.entry) changes when stored")
        }
        for (earlier, later) in zip(log, log.dropFirst()) {
            try require(earlier.version < later.version, "versions do not rise")
        }
        let summary = RoomSummary(state.control)
        try require(try RoomSummary(encoded: summary.encoded[...]) == summary, "summary")
        if let copy {
            try require(copy.control == state.control, "a copy goes another way")
            try require(copy.scene.checkpoint() == state.scene.checkpoint(), "a copy's scene")
        }
        _ = try Self.restored(state)
        try checkDisorder()
    }

    private func checkDisorder() throws {
        var sequencer = EntrySequencer(applied: 0)
        var order = UInt64(seed)
        var waiting = log
        var received: [VersionedEntry] = []
        while !waiting.isEmpty {
            order = order &* 6_364_136_223_846_793_005 &+ 1
            let entry = waiting.remove(at: Int((order >> 33) % UInt64(waiting.count)))
            received += sequencer.receive(order >> 60 == 0 ? [entry, entry] : [entry])
        }
        try require(received == log, "the sequencer gives another order")
    }
}
