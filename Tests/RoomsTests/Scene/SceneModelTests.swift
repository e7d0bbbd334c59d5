import JSON
import Testing

@testable import Rooms

@Suite("Random histories")
struct SceneModelTests {
    @Test(
        "a folded scene equals the plain model after every edit",
        arguments: 1...40 as ClosedRange<UInt64>)
    func model(seed: UInt64) throws {
        var history = SceneHistory(seed: seed)
        let reference = SceneReference()
        var document = SceneDocument()
        let founding: SceneEdit =
            seed % 5 == 0 ? Fixture.update("o1") : .replace(editorData: history.upload())
        for version in 1...120 as ClosedRange<UInt64> {
            let edit = version == 1 ? founding : history.edit()
            #expect(throws: Never.self) { try document.check(edit) }
            document.apply(edit, at: version)
            reference.apply(edit, at: version)
            var expected = reference.snapshot
            if document.replacedAt == 0 {
                expected = Self.withoutUpload(expected, document.snapshot)
            }
            guard equal(document.snapshot, expected) else {
                Issue.record(
                    """
                    seed \(seed), version \(version), \(edit)
                    is       \(canonical(document.snapshot))
                    expected \(canonical(expected))
                    """)
                return
            }
            #expect(document.version == version)
        }
    }

    /// Before any upload the model says nothing about project, camera and scene metadata.
    private static func withoutUpload(
        _ expected: [String: Any], _ actual: [String: Any]
    ) -> [String: Any] {
        var expected = expected
        expected["project"] = nil
        expected["camera"] = actual["camera"]
        var scene = expected["scene"] as? [String: Any] ?? [:]
        scene["metadata"] = (actual["scene"] as? [String: Any])?["metadata"]
        if !expected.isEmpty { expected["scene"] = scene }
        return expected.isEmpty || actual.isEmpty ? actual : expected
    }

    @Test(
        "a scene read back from its checkpoint folds on alike",
        arguments: 100...115 as ClosedRange<UInt64>)
    func checkpoint(seed: UInt64) throws {
        var history = SceneHistory(seed: seed)
        var document = SceneDocument()
        for version in 1...150 as ClosedRange<UInt64> {
            if version % 10 == 0 {
                let bytes = document.checkpoint()
                let restored = try SceneDocument(checkpoint: bytes[...])
                #expect(restored.checkpoint() == bytes, "seed \(seed), version \(version)")
                #expect(restored.editorData() == document.editorData())
                #expect(restored.approximateByteCount == document.approximateByteCount)
                #expect(restored.version == document.version)
                if version % 20 == 0 { document = restored }
            }
            document.apply(history.edit(), at: version)
        }
        var left = try SceneDocument(checkpoint: document.checkpoint()[...])
        for version in 151...200 as ClosedRange<UInt64> {
            let edit = history.edit()
            left.apply(edit, at: version)
            document.apply(edit, at: version)
        }
        #expect(left.checkpoint() == document.checkpoint(), "seed \(seed)")
    }

    @Test("the byte count follows the scene", arguments: 200...210 as ClosedRange<UInt64>)
    func byteCount(seed: UInt64) throws {
        var history = SceneHistory(seed: seed)
        var document = SceneDocument()
        for version in 1...200 as ClosedRange<UInt64> {
            document.apply(history.edit(), at: version)
        }
        let recount = try SceneDocument(checkpoint: document.checkpoint()[...])
        #expect(document.approximateByteCount == recount.approximateByteCount)
        #expect(document.objectCount == document.tree.subtree(of: document.tree.root).count)
    }
}
