import JSON
import RoomStore
import Rooms
import Testing

@testable import RoomService

/// Scenes are checked and made checkpoints off the event loops, where they are large.
@Suite struct HeavyWorkTests {
    private let update = "sync-editor-object-update"
    private let upload = "sync-full-editor"

    private func world() throws -> World {
        var options = RoomServiceOptions()
        options.limits.heavyBytes = 0
        options.limits.checkpointBytes = 2_000
        return try World(options: options)
    }

    @Test func whatFollowsAnUploadWaitsForIt() throws {
        let world = try world()
        let (host, guest) = (try world.host(), try world.guest())
        guest.skip()
        let first = host.call(upload, Scenes.upload(Scenes.editor("a")))
        let second = host.call(update, Scenes.update("b"))
        var answers: [Int64] = []
        world.run(until: {
            answers += [first, second].compactMap { host.next($0)?["version"]?.int }
            return answers.count == 2
        })
        #expect(answers.count == 2 && answers == answers.sorted())
        let scene = try #require(try world.stored()).scene
        #expect(scene.contains("a") && scene.contains("b"))
    }

    @Test func anUploadThatIsNoSceneIsRefused() throws {
        let world = try world()
        let host = try world.host()
        let ack = host.call(upload, #"{"roomId":"room","editorData":{"scene":5}}"#)
        var answer: JSONText?
        world.run(until: {
            answer = answer ?? host.next(ack)
            return answer != nil
        })
        #expect(answer?["error"]?["code"]?.string == "MISSING_DATA")
    }

    @Test func whoGoesAfterAnUploadHasUploadedIt() throws {
        let world = try world()
        let host = try world.host()
        _ = try world.guest()
        host.emit(upload, Scenes.upload(Scenes.editor("a")))
        host.vanish()
        world.run(until: { (try? world.stored())?.scene.contains("a") == true })
        #expect(try world.stored()?.scene.contains("a") == true)
    }

    @Test func aLargeCheckpointIsSaved() throws {
        let world = try world()
        let host = try world.host()
        let text = String(repeating: "x", count: 1_000)
        for _ in 0..<6 {
            host.emit(update, Scenes.update("a", name: text))
            world.run()
        }
        world.run(until: { world.store.calls(.save) >= 1 })
        #expect(world.store.calls(.save) >= 1)
    }

    @Test func aCheckpointOfALineThatIsNoMoreIsNotSaved() throws {
        let world = try world()
        _ = try world.host(editor: Scenes.editor("a"))
        let live = try #require(world.live())
        world.loop(of: "room").perform {
            live.logBytesSinceCheckpoint = 1 << 20
            live.saveCheckpointIfDue()
            #expect(live.isCheckpointing)
            live.replaceState(live.state)
        }
        world.run(until: { !live.isCheckpointing })
        #expect(!live.isCheckpointing && world.store.calls(.save) == 0)
    }
}
