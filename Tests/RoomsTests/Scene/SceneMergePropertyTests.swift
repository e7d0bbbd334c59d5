import JSON
import Testing

@testable import Rooms

@Suite("Random partitions")
struct SceneMergePropertyTests {
    /// A common past, then edits on two sides with versions of their own.
    private struct Partition {
        var base = SceneDocument()
        var left: [(Version, SceneEdit)] = []
        var right: [(Version, SceneEdit)] = []

        init(seed: UInt64, isFlat: Bool = false, edit: (inout SceneHistory) -> SceneEdit) {
            var history = SceneHistory(seed: seed)
            history.allowsNameless = false
            history.isFlat = isFlat
            base.apply(.replace(editorData: history.upload()), at: 1)
            for version in 2...20 as ClosedRange<Version> {
                base.apply(history.edit(), at: version)
            }
            var sides = (left: base, right: base)
            for version in 21...60 as ClosedRange<Version> {
                let entry = (version, edit(&history))
                if history.random.chance(50) {
                    guard !isFlat || Self.isEffective(entry.1, on: sides.left) else { continue }
                    sides.left.apply(entry.1, at: version)
                    left.append(entry)
                } else {
                    guard !isFlat || Self.isEffective(entry.1, on: sides.right) else { continue }
                    sides.right.apply(entry.1, at: version)
                    right.append(entry)
                }
            }
        }

        /// False for an update of a removed object that does not bring it back.
        private static func isEffective(_ edit: SceneEdit, on side: SceneDocument) -> Bool {
            guard case .objectUpdate(let uuid, _, let changeType) = edit else { return true }
            return ChangeType.adds(changeType) || side.tombstones.version(of: uuid) == nil
        }

        func side(_ edits: [(Version, SceneEdit)]) -> SceneDocument {
            var side = base
            for (version, edit) in edits { side.apply(edit, at: version) }
            return side
        }
    }

    @Test("merging the same edits again changes nothing", arguments: 1...80 as ClosedRange<UInt64>)
    func idempotent(seed: UInt64) {
        let partition = Partition(seed: seed) { $0.edit() }
        var document = partition.side(partition.left)
        _ = document.merge(local: partition.right)
        let merged = document.checkpoint()
        let again = document.merge(local: partition.right)
        #expect(again.isEmpty, "seed \(seed)")
        #expect(document.checkpoint() == merged, "seed \(seed)")
    }

    @Test("the edits that won give the merged scene", arguments: 1...80 as ClosedRange<UInt64>)
    func replay(seed: UInt64) {
        let partition = Partition(seed: seed) { $0.edit() }
        let truth = partition.side(partition.left)
        var merged = truth
        let won = merged.merge(local: partition.right)
        var replayed = truth
        for (offset, edit) in won.enumerated() { replayed.apply(edit, at: Version(100 + offset)) }
        #expect(
            canonical(replayed.snapshot) == canonical(merged.snapshot), "seed \(seed)")
    }

    /// Flat scenes: where one side removes a group and the other changes what is in it, the outcome
    /// may depend on which side is the store's. Edits without effect on their own side are left
    /// out.
    @Test("both sides come to the same objects", arguments: 1...200 as ClosedRange<UInt64>)
    func commutative(seed: UInt64) {
        let partition = Partition(seed: seed, isFlat: true) { history in
            while true {
                let edit = history.edit()
                if case .replace = edit { continue }
                return edit
            }
        }
        var left = partition.side(partition.left)
        var right = partition.side(partition.right)
        _ = left.merge(local: partition.right, since: 20)
        _ = right.merge(local: partition.left, since: 20)
        #expect(objects(left) == objects(right), "seed \(seed)")
        #expect(left.background.value == right.background.value, "seed \(seed)")
        #expect(left.fog.value == right.fog.value, "seed \(seed)")
    }

    @Test(
        "a whole scene brings the objects that its edits would",
        arguments: 1...100 as ClosedRange<UInt64>)
    func whole(seed: UInt64) {
        let partition = Partition(seed: seed, isFlat: true) { history in
            while true {
                let edit = history.edit()
                if case .replace = edit { continue }
                return edit
            }
        }
        var byEdits = partition.side(partition.left)
        _ = byEdits.merge(local: partition.right, since: 20)
        var asWhole = partition.side(partition.left)
        _ = merge(partition.side(partition.right), into: &asWhole)
        #expect(objects(asWhole) == objects(byEdits), "seed \(seed)")
        #expect(asWhole.background.value == byEdits.background.value, "seed \(seed)")
        #expect(asWhole.fog.value == byEdits.fog.value, "seed \(seed)")
    }

    @Test(
        "what a whole scene brought gives the merged scene, and comes once",
        arguments: 1...80 as ClosedRange<UInt64>)
    func wholeReplay(seed: UInt64) {
        let partition = Partition(seed: seed) { $0.edit() }
        let truth = partition.side(partition.left)
        let other = partition.side(partition.right)
        var merged = truth
        let won = merge(other, into: &merged)
        var replayed = truth
        for (offset, edit) in won.enumerated() { replayed.apply(edit, at: Version(100 + offset)) }
        #expect(canonical(replayed.snapshot) == canonical(merged.snapshot), "seed \(seed)")
        #expect(merge(other, into: &merged) == [], "seed \(seed)")
        // Nothing that was set after the last upload is unknown now.
        for slot in other.tree.subtree(of: other.tree.root).dropFirst() {
            let node = other.tree[slot]
            guard node.version > merged.replacedAt, let uuid = node.uuid else { continue }
            #expect(merged.lastModified(of: uuid) ?? 0 >= node.version, "seed \(seed): \(uuid)")
        }
    }

    private func merge(_ other: SceneDocument, into document: inout SceneDocument) -> [SceneEdit] {
        var otherSide = SceneDocument.OtherSide(base: 20)
        return document.merge(whole: other, from: &otherSide).flatMap(\.winners)
    }

    private func objects(_ document: SceneDocument) -> [String: String] {
        var found: [String: String] = [:]
        for slot in document.tree.subtree(of: document.tree.root) {
            let node = document.tree[slot]
            if let uuid = node.uuid {
                found[uuid] = String(decoding: node.properties, as: UTF8.self)
            }
        }
        return found
    }
}
