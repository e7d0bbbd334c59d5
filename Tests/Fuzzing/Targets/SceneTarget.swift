import JSON

@testable import RoomService
@testable import Rooms

extension FuzzTarget {
    /// Edits of a scene as clients send them, a line each: letter of the event, side of a
    /// partition (`l`, `r`; anything else: before it), payload.
    static let scene = FuzzTarget(name: "scene", maxBytes: 64 << 10) { input in
        var input = FuzzInput(input)
        var partition = ScenePartition()
        while let line = input.line() {
            if let (edit, side) = SceneLine.edit(line) { try partition.apply(edit, on: side) }
        }
        try partition.checkSides()
        try partition.checkMerge()
    }
}

/// A line of the corpus of edits.
enum SceneLine {
    static let events: [ClientEvent] = [
        .objectUpdate, .objectRemoval, .materialUpdate, .backgroundUpdate, .fogUpdate,
        .scriptAdded, .scriptChanged, .scriptRemoved, .syncFullEditor,
    ]

    /// The edit and the letter of its side; nil where the server would refuse the payload.
    static func edit(_ line: ArraySlice<UInt8>) -> (SceneEdit, side: UInt8)? {
        guard let letter = line.first, let side = line.dropFirst().first,
            let payload = try? JSONText(validating: line.dropFirst(2)),
            let edit = edit(letter, payload)
        else { return nil }
        return (edit, side)
    }

    static func edit(_ letter: UInt8, _ payload: JSONText) -> SceneEdit? {
        let index = Int(letter) - Int(UInt8(ascii: "a"))
        guard events.indices.contains(index) else { return nil }
        if events[index] == .syncFullEditor {
            return payload["editorData"].map { .replace(editorData: $0) }
        }
        return try? EditEvents.parse(events[index], payload)
    }
}

/// A scene, and two sides that go on from it apart.
private struct ScenePartition {
    private var version: Version = 1
    private var base = SceneDocument()
    private var left = SceneDocument()
    private var right = SceneDocument()
    private var rightEdits: [(Version, SceneEdit)] = []
    private var forkedAt: Version?

    mutating func apply(_ edit: SceneEdit, on side: UInt8) throws {
        version += 1
        switch side {
        case UInt8(ascii: "l"):
            fork()
            try Self.apply(edit, to: &left, at: version)
        case UInt8(ascii: "r"):
            fork()
            if try Self.apply(edit, to: &right, at: version) { rightEdits.append((version, edit)) }
        default:
            guard forkedAt == nil else { return }
            try Self.apply(edit, to: &base, at: version)
        }
    }

    private mutating func fork() {
        guard forkedAt == nil else { return }
        forkedAt = version - 1
        left = base
        right = base
    }

    /// As the server does: refused before the commit, or applied. False if refused.
    @discardableResult
    private static func apply(
        _ edit: SceneEdit, to scene: inout SceneDocument, at version: Version
    ) throws -> Bool {
        guard (try? scene.check(edit)) != nil else { return false }
        scene.apply(edit, at: version)
        try require(scene.version == version, "an edit does not set the version")
        try require(scene.objectCount <= SceneLimits.objects, "more objects than allowed")
        return true
    }

    mutating func checkSides() throws {
        fork()
        for scene in [base, left, right] { try Self.check(scene) }
    }

    /// A checkpoint keeps everything; what a newcomer is sent he can upload.
    private static func check(_ scene: SceneDocument) throws {
        let stored = scene.checkpoint()
        let restored = try SceneDocument(checkpoint: stored[...])
        try require(restored.checkpoint() == stored, "a checkpoint changes the scene")
        guard let sent = scene.editorData() else {
            try require(scene.isEmpty, "a scene that cannot be sent")
            return
        }
        let checked = try JSONText(validating: sent.bytes)
        try require(restored.editorData() == sent, "a checkpoint changes what is sent")
        try SceneDocument.validate(checked)
        var again = SceneDocument()
        try again.replace(with: checked, at: scene.version)
        try require(again.objectCount == scene.objectCount, "an upload of what was sent loses")
    }

    /// Merging is stable, and what won is the way from one side to the merged scene.
    func checkMerge() throws {
        guard let forkedAt else { return }
        var merged = left
        let won = merged.merge(local: rightEdits, since: forkedAt)
        try Self.check(merged)
        var again = merged
        let wonAgain = again.merge(local: rightEdits, since: forkedAt)
        try require(wonAgain.isEmpty, "merging again changes something: \(wonAgain)")
        try require(again.checkpoint() == merged.checkpoint(), "merging again changes the scene")
        for edit in won { try edit.validate() }
        var replayed = left
        for (index, edit) in won.enumerated() {
            replayed.apply(edit, at: version + 1 + Version(index))
        }
        try require(
            replayed.objectCount == merged.objectCount, "the edits that won give another scene")
    }
}
