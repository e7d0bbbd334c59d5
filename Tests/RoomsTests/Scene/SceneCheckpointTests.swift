import JSON
import Testing

@testable import Rooms

@Suite("Checkpoints of a scene")
struct SceneCheckpointTests {
    private func document() throws -> SceneDocument {
        var document = try Fixture.document(
            #"{"uuid":"a","children":[{"uuid":"b"},{"x":1}]},{"uuid":"a","n":2}"#,
            libraries: #""geometries":[{"uuid":"g"},{"loose":1}],"other":{"k":1},"#)
        document.apply(.objectRemoval(uuid: "b"), at: 2)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("s")), at: 3)
        document.apply(.scriptAdded(objectUUID: "a", script: Fixture.script("t")), at: 4)
        document.apply(.scriptRemoved(objectUUID: "a", script: Fixture.script("t")), at: 5)
        document.apply(.background(Fixture.json(#"{"type":"Color","r":1,"g":0,"b":0}"#)), at: 6)
        document.apply(Fixture.update("cam", #""fov":1"#), at: 7)
        return document
    }

    @Test("a checkpoint keeps everything, versions and tombstones too")
    func complete() throws {
        let document = try document()
        let padded = [1, 2, 3] + document.checkpoint()
        let restored = try SceneDocument(checkpoint: padded[3...])
        #expect(restored.editorData() == document.editorData())
        #expect(restored.lastModified(of: "a") == 1)
        #expect(restored.lastModified(of: "b") == 2)
        #expect(restored.lastModified(of: "cam") == 7)
        #expect(restored.version == 7)
        #expect(restored.replacedAt == 1)
        #expect(restored.tombstones.version(of: "a", script: "t") == 5)
        #expect(restored.contentHash == document.contentHash)
    }

    @Test("an empty room has a checkpoint")
    func empty() throws {
        let restored = try SceneDocument(checkpoint: SceneDocument().checkpoint()[...])
        #expect(restored.isEmpty)
    }

    @Test("any damaged byte and any cut is an error and no trap")
    func damaged() throws {
        let bytes = try document().checkpoint()
        for index in bytes.indices {
            var damaged = bytes
            damaged[index] ^= 0x41
            #expect(
                sceneError { _ = try SceneDocument(checkpoint: damaged[...]) } == .corruptCheckpoint
            )
            let cut = bytes[..<index]
            #expect(sceneError { _ = try SceneDocument(checkpoint: cut) } == .corruptCheckpoint)
        }
        let longer = bytes + [0]
        #expect(sceneError { _ = try SceneDocument(checkpoint: longer[...]) } != nil)
    }

    /// The checksum hides the fields from plain damage: here it is made right again.
    @Test("wrong fields under a right checksum are an error and no trap")
    func forged() throws {
        let bytes = try document().checkpoint()
        var random = SceneRandom(seed: 4_711)
        var refused = 0
        for _ in 0..<4_000 {
            var body = Array(bytes.dropLast(8))
            for _ in 0...random.below(3) {
                body[5 + random.below(body.count - 5)] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.chance(20) { body.removeLast(random.below(body.count - 5)) }
            var hasher = ContentHasher()
            hasher.combine(body)
            let checksum = hasher.finish()
            let forged = body + (0..<8).map { UInt8(truncatingIfNeeded: checksum >> ($0 * 8)) }
            guard var read = try? SceneDocument(checkpoint: forged[...]) else {
                refused += 1
                continue
            }
            read.apply(Fixture.update("a"), at: .max)
            read.apply(.objectRemoval(uuid: "a"), at: .max)
            _ = read.editorData()
            _ = read.checkpoint()
        }
        #expect(refused > 1_000)
    }

    @Test("what is removed, brought back and removed again at one version is remembered once")
    func equalRemovals() throws {
        var tombstones = Tombstones()
        _ = tombstones.insert("a", at: 5)
        tombstones.remove("a")
        _ = tombstones.insert("b", at: 5)
        _ = tombstones.insert("a", at: 5)
        #expect(tombstones.all.map(\.key.object) == ["b", "a"])
    }
}
