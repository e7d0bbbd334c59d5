import JSON
import Rooms
import Testing

@testable import RoomService

/// Full scenes to and from members, and what they hold back (R16 to R18, R22 to R29).
@Suite struct SceneTests {
    private let update = "sync-editor-object-update"
    private let updated = "receive-editor-object-update"
    private let full = "receive-full-editor"

    private func version(_ scene: JSONText?) -> Int64 { scene?["version"]?.int ?? -1 }

    // MARK: Asking

    @Test func anEmptyRoomIsAnsweredInTheOneFormThatMeansEmpty() throws {
        let world = try World()
        _ = try world.host()
        let guest = try world.guest()
        guest.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        let scene = try #require(guest.next(full))
        #expect(scene["editorData"]?.isNull == true && scene["hostId"]?.isNull == true)
        #expect(version(scene) == 0 && scene["isInitialSync"]?.bool == true)
    }

    @Test func everySnapshotHasAHigherVersion() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let second = try world.host("second", editor: Scenes.editor("b"))
        #expect(second.isConnected)
        let guest = world.connect()
        var last: Int64 = -1
        for room in ["room", "second", "room"] {
            guest.emit("join-room", #"{"roomId":"\#(room)"}"#)
            world.run()
            let joined = version(guest.next(full))
            #expect(joined > last)
            world.advance(.seconds(1))
            guest.emit("request-editor-sync", #"{"roomId":"\#(room)"}"#)
            world.run()
            last = version(guest.next(full))
            #expect(last > joined)
            world.advance(.seconds(1))
        }
        #expect(host.isConnected && last < 1 << 53)
    }

    /// Who serves the room next knows no other version than the stored one, if its clock went back.
    @Test func theSceneOfWhoComesInHasTheVersionThatIsStored() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let guest = world.connect()
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        let stored = try #require(try world.stored()?.version)
        #expect(version(guest.next(full)) == Int64(stored))
    }

    @Test func aSnapshotNamesNobodyAsItsOrigin() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        host.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        let scene = try #require(host.next(full))
        #expect(scene["originUserId"] == nil)
        #expect(scene["hostId"]?.string == host.id)
    }

    @Test func onlyMembersAreGivenTheScene() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let stranger = world.connect()
        let ack = stranger.call("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        let messages = stranger.take()
        #expect(messages.map(\.name) == [ack, "editor-sync-error"])
        #expect(messages[1].payload["code"]?.string == "USER_NOT_IN_ROOM")
    }

    @Test func aSecondSceneIsNotSentBeforeTheFirstCanHaveBeenApplied() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let guest = world.connect()
        guest.emit("join-room", #"{"roomId":"room"}"#)
        for _ in 0..<5 { guest.emit("request-editor-sync", #"{"roomId":"room"}"#) }
        world.run()
        #expect(guest.takeNames().filter { $0 == full }.count == 1)
        world.advance(.milliseconds(299))
        #expect(guest.take().isEmpty)
        world.advance(.milliseconds(1))
        #expect(guest.takeNames() == [full])
        world.advance(.seconds(2))
        #expect(guest.take().isEmpty)
    }

    // MARK: Busy clients

    @Test func editsAreHeldForAClientThatAppliesASceneTheLatestOfEachObject() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        for name in ["one", "two", "three"] {
            host.emit(update, Scenes.update("a", changeType: "general", name: name))
        }
        host.emit(update, Scenes.update("b"))
        host.emit(update, Scenes.update("b", changeType: "general", name: "last"))
        host.emit(
            "sync-script-added",
            #"{"roomId":"room","objectUuid":"a","script":{"name":"s","source":""}}"#)
        host.emit(
            "sync-script-added",
            #"{"roomId":"room","objectUuid":"a","script":{"name":"s","source":""}}"#)
        world.run()
        #expect(guest.take().isEmpty)
        world.advance(.milliseconds(300))
        let messages = guest.take()
        #expect(
            messages.map(\.name) == [
                updated, updated, updated, "receive-script-added", "receive-script-added",
            ])
        #expect(messages[0].payload["objectData"]?["object"]?["name"]?.string == "three")
        #expect(messages[1].payload["changeType"]?.string == "object-added")
        #expect(messages[2].payload["objectData"]?["object"]?["name"]?.string == "last")
        host.emit(update, Scenes.update("a", changeType: "general"))
        world.run()
        #expect(guest.takeNames() == [updated])
    }

    @Test func listsAndNoticesAreNotHeld() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        _ = try world.guest()
        world.advance(.milliseconds(150))
        #expect(guest.takeNames() == ["user-joined", "users-list", "user-count"])
    }

    @Test func aLargeSceneHoldsForLonger() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a", padding: 2_500_000))
        let guest = try world.guest()
        host.emit(update, Scenes.update("b"))
        world.advance(.milliseconds(899))
        #expect(guest.take().isEmpty)
        world.advance(.milliseconds(1))
        #expect(guest.takeNames() == [updated])
    }

    @Test func moreThanCanBeHeldIsAFreshScene() throws {
        var options = RoomServiceOptions()
        options.limits.heldEvents = 3
        let world = try World(options: options)
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        for index in 0..<10 { host.emit(update, Scenes.update("n\(index)")) }
        world.run()
        #expect(guest.take().isEmpty)
        world.advance(.milliseconds(300))
        let messages = guest.take()
        #expect(messages.map(\.name) == [full])
        #expect(Scenes.objects(messages[0].payload).count == 11)
    }

    @Test func whoLeavesWhileEditsAreHeldGetsNoneOfThem() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        host.emit(update, Scenes.update("b"))
        guest.emit("leave-room", #""room""#)
        world.run()
        guest.skip()
        world.advance(.seconds(1))
        #expect(guest.take().isEmpty)
        #expect(world.loops[0].taskCount <= 2)
    }

    @Test func anAuthorWhoIsBusyWithASceneWithoutHisEditGetsItBack() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        host.skip()
        guest.emit(update, Scenes.update("b"))
        world.advance(.milliseconds(300))
        let own = try #require(guest.next(updated))
        #expect(own["originUserId"] == nil && own["objectUuid"]?.string == "b")
        #expect(host.next(updated)?["originUserId"]?.string == guest.id)
        guest.emit(update, Scenes.update("c"))
        world.advance(.seconds(1))
        #expect(guest.take().isEmpty)
    }

    /// A scene may take long to its client: what counts is when he had it, not when it was sent.
    @Test func anEditMadeBeforeTheSceneArrivedIsGivenBackHoweverLongItTook() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        world.advance(.seconds(1))
        guest.session.setAnswersPings(false)
        guest.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.advance(.seconds(7))
        guest.emit(update, Scenes.update("b"))
        world.run()
        #expect(guest.takeNames() == [full])
        guest.session.setAnswersPings(true)
        world.advance(.milliseconds(299))
        #expect(guest.take().isEmpty)
        world.advance(.milliseconds(1))
        #expect(guest.next(updated)?["objectUuid"]?.string == "b")
    }

    @Test func anEditWhoseCommitTookLongerThanTheSceneIsGivenBack() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        host.skip()
        world.store.holding = [.commit]
        guest.emit(update, Scenes.update("b"))
        world.advance(.seconds(2))
        guest.skip()
        world.store.release()
        world.run()
        #expect(host.next(updated)?["objectUuid"]?.string == "b")
        #expect(guest.next(updated)?["objectUuid"]?.string == "b")
        #expect(guest.takeNames().isEmpty)
        guest.emit(update, Scenes.update("c"))
        world.advance(.seconds(2))
        #expect(guest.takeNames().isEmpty)
    }

    @Test func anEditIsGivenBackIfASceneCameBetweenItAndItsCommit() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        world.advance(.seconds(1))
        world.store.holding = [.commit]
        guest.emit(update, Scenes.update("b"))
        guest.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.advance(.seconds(2))
        #expect(Scenes.objects(guest.next(full)) == ["a"])
        world.store.release()
        world.run()
        #expect(guest.next(updated)?["objectUuid"]?.string == "b")
    }

    @Test func whoReadTooSlowlyIsNotSentEditsBeforeTheSceneHasArrived() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        world.advance(.seconds(1))
        guest.session.setAnswersPings(false)
        guest.emit("request-editor-sync", #"{"roomId":"room"}"#)
        world.run()
        guest.setBackedUp(true)
        host.emit(update, Scenes.update("b"))
        world.advance(.seconds(2))
        guest.setBackedUp(false)
        world.advance(.seconds(2))
        #expect(guest.takeNames() == [full])
        guest.session.setAnswersPings(true)
        world.advance(.milliseconds(300))
        #expect(guest.next(updated)?["objectUuid"]?.string == "b")
    }

    @Test func anUploadMadeBeforeTheSceneArrivedIsStaleHoweverLongItTook() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        world.advance(.seconds(5))
        let guest = world.connect()
        guest.session.setAnswersPings(false)
        guest.emit("join-room", #"{"roomId":"room","userName":"Gast"}"#)
        world.advance(.seconds(5))
        host.skip()
        for _ in 0..<2 {
            guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("c")))
            world.advance(.seconds(5))
        }
        #expect(host.take().isEmpty)
        guest.session.setAnswersPings(true)
        guest.skip()
        world.advance(.seconds(1))
        #expect(Scenes.objects(guest.next(full)) == ["a"])
        world.advance(.seconds(1))
        guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("c")))
        world.advance(.seconds(1))
        #expect(Scenes.objects(host.next(full)) == ["c"])
    }

    @Test func anUploadMadeBeforeWhatARecoveredMemberMissedIsStale() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest(recovers: true)
        world.advance(.seconds(1))
        guest.vanish()
        host.emit(update, Scenes.update("b"))
        world.advance(.seconds(2))
        let back = world.connect(after: guest)
        #expect(back.isRecovered)
        back.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "c")))
        world.advance(.seconds(1))
        #expect(Scenes.objects(back.next(full)) == ["a", "b"])
    }

    @Test func anUploadThatCrossesAnEditWhichCameLateIsStale() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        world.advance(.seconds(5))
        host.skip()
        world.store.holding = [.summaries]
        world.store.holdNotices()
        try world.editElsewhere("b", by: "somebody")
        world.advance(.seconds(3))
        world.store.releaseNotices()
        world.run()
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "c")))
        world.advance(.seconds(1))
        #expect(Scenes.objects(host.next(full)) == ["a", "b"])
    }

    @Test func anUploadThatCrossesAnEditWhichWasHeldIsStale() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a", padding: 5_500_000))
        let guest = try world.guest()
        host.emit(update, Scenes.update("b"))
        world.advance(.milliseconds(1_800))
        #expect(guest.takeNames() == [updated])
        guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "c")))
        world.advance(.seconds(3))
        #expect(Scenes.objects(guest.next(full)) == ["a", "b"])
    }

    @Test func anUploadThatCrossesWhatIsGivenBackToItsAuthorEndsWithAFreshScene() throws {
        let world = try World()
        _ = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        guest.emit(update, Scenes.update("b"))
        world.advance(.milliseconds(300))
        #expect(guest.takeNames() == [updated])
        guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "c")))
        world.run()
        #expect(Scenes.objects(guest.next(full)) == ["a", "c"])
        world.advance(.seconds(3))
        guest.skip()
        guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "d")))
        world.advance(.seconds(1))
        #expect(guest.takeNames() == ["sync-full-editor-success"])
    }

    @Test func anUploadEndsWhatIsHeldForItsAuthor() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        host.skip()
        guest.emit(update, Scenes.update("b"))
        world.run()
        guest.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "c")))
        world.advance(.seconds(1))
        #expect(guest.takeNames() == ["sync-full-editor-success"])
        #expect(Scenes.objects(host.next(full)) == ["a", "c"])
    }

    // MARK: Uploading

    @Test func anUploadIsAcknowledgedAndShownToTheOthers() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        let ack = host.call("sync-full-editor", Scenes.upload(Scenes.editor("a", "b")))
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == ["sync-full-editor-success", ack])
        let scene = try #require(guest.next(full))
        #expect(Scenes.objects(scene) == ["a", "b"])
        #expect(scene["isInitialSync"]?.bool == false)
        #expect(version(scene) >= messages[0].payload["version"]?.int ?? .max)
    }

    @Test func aRepeatedUploadIsAcknowledgedAndShownToNobody() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        let upload = Scenes.upload(Scenes.editor("a"))
        host.emit("sync-full-editor", upload)
        world.advance(.seconds(2))
        guest.skip()
        host.skip()
        let stored = try world.stored()?.version
        host.emit("sync-full-editor", upload)
        world.advance(.seconds(2))
        #expect(host.takeNames() == ["sync-full-editor-success"])
        #expect(guest.take().isEmpty)
        #expect(try world.stored()?.version == stored)
    }

    @Test func twoUploadsAtOnceAreOneIfTheyAreEqual() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        world.store.holding = [.commit]
        let upload = Scenes.upload(Scenes.editor("a"))
        host.emit(update, Scenes.update("z"))
        host.emit("sync-full-editor", upload)
        host.emit("sync-full-editor", upload)
        world.run()
        world.store.release()
        world.advance(.seconds(2))
        #expect(host.takeNames() == ["sync-full-editor-success", "sync-full-editor-success"])
        #expect(guest.takeNames().filter { $0 == full }.count == 1)
    }

    @Test func anUploadOfSomebodyWhoHasNotSeenTheNewestIsNotStoredButAnsweredWithIt() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a"))
        let guest = try world.guest()
        world.advance(.seconds(2))
        host.skip()
        world.store.holding = [.commit]
        guest.emit(update, Scenes.update("b"))
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("old")))
        world.run()
        world.store.release()
        world.run()
        let messages = host.take()
        #expect(messages.contains { $0.name == "sync-full-editor-success" })
        let scene = messages.first { $0.name == full }?.payload
        #expect(Scenes.objects(scene) == ["a", "b"])
        #expect(try world.stored()?.scene.editorData().map { $0.text.contains("old") } == false)
    }

    @Test func aHostWhoComesBackIsSentTheSceneBeforeHeCanUploadHisOld() throws {
        let world = try World()
        let cookie = String(repeating: "b", count: 32)
        let host = try world.host(editor: Scenes.editor("a"), cookie: cookie)
        let guest = try world.guest()
        host.vanish()
        world.run()
        guest.emit(update, Scenes.update("new"))
        world.advance(.seconds(2))
        let again = world.connect(cookie: cookie)
        again.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        #expect(again.next("joined-room")?["isHost"]?.bool == true)
        #expect(Scenes.objects(again.next(full)) == ["a", "new"])
        // 500 ms later his client uploads what it was given; nothing is lost.
        world.advance(.milliseconds(500))
        again.emit("sync-full-editor", Scenes.upload(Scenes.editor("a", "new")))
        world.run()
        #expect(again.next("sync-full-editor-success") != nil)
        #expect(Scenes.objects(guest.next(full)) == ["a", "new"])
    }

    @Test func aNewcomerOfTheSameCommitAsAnUploadIsStillWelcomedInOrder() throws {
        let world = try World()
        let host = try world.host()
        host.skip()
        world.store.holding = [.commit]
        host.emit(update, Scenes.update("z"))
        world.run()
        host.emit("sync-full-editor", Scenes.upload(Scenes.editor("a")))
        let guest = world.connect()
        guest.emit("join-room", #"{"roomId":"room"}"#)
        world.run()
        world.store.release()
        world.run()
        let messages = guest.take()
        #expect(messages.map(\.name) == ["joined-room", full, "users-list", "user-count"])
        #expect(Scenes.objects(messages[1].payload) == ["a"])
    }

    @Test(arguments: [
        (#"{"roomId":"room"}"#, "MISSING_DATA"),
        (#"{"roomId":"room","editorData":null}"#, "MISSING_DATA"),
        (#"{"roomId":"room","editorData":{}}"#, "MISSING_DATA"),
        (#"{"editorData":{}}"#, "MISSING_DATA"), ("null", "MISSING_DATA"),
        (#"{"roomId":"other","editorData":{}}"#, "USER_NOT_IN_ROOM"),
    ])
    func aBadUploadIsRefusedByItsOwnEvent(payload: String, code: String) throws {
        let world = try World()
        let host = try world.host()
        let ack = host.call("sync-full-editor", payload)
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == [ack, "sync-full-editor-error"])
        #expect(messages[1].payload["code"]?.string == code)
    }

    @Test func whatWasEditedIsInTheNextNewcomersScene() throws {
        let world = try World()
        let host = try world.host(editor: Scenes.editor("a", "b"))
        host.emit(update, Scenes.update("c"))
        host.emit("sync-editor-object-removal", #"{"roomId":"room","objectId":"a"}"#)
        host.emit(
            "sync-scene-background-update",
            #"{"roomId":"room","backgroundData":{"type":"Color","r":1,"g":1,"b":1}}"#)
        world.run()
        let guest = world.connect()
        guest.emit("join-room", #""room""#)
        world.run()
        let scene = guest.next(full)
        #expect(Scenes.objects(scene) == ["b", "c"])
        #expect(
            scene?["editorData"]?["scene"]?["object"]?["background"]?.int == 0xff_ffff)
    }

    @Test func anEditThatTheSceneCannotTakeIsRefused() throws {
        let world = try World()
        let (host, guest) = (try world.host(), try world.guest())
        host.skip()
        let uuid = String(repeating: "u", count: 200)
        let ack = host.call(update, Scenes.update(uuid))
        world.run()
        let messages = host.take()
        #expect(messages.map(\.name) == [ack, "editor-sync-error"])
        #expect(messages[1].payload["code"]?.string == "MISSING_DATA")
        #expect(guest.take().isEmpty)
    }
}
