import Rooms
import Testing

@Suite("Who is in a room, and who is host")
struct MembershipTests {
    @Test("the creator is member and host")
    func creator() {
        let room = RoomBuilder()
        #expect(room.memberIDs == ["host"])
        #expect(room.control.hostID == "host")
    }

    @Test("three members of one name are three, and the host stays (C6, C7)")
    func sameNames() {
        var room = RoomBuilder()
        room.join("a")
        room.join("b")
        #expect(room.control.members.count == 3)
        #expect(room.control.hostID == "host")
    }

    @Test("a second join of the same socket changes nothing (R14)")
    func doubleJoin() {
        var room = RoomBuilder(password: "hash")
        room.join("a", verified: "hash")
        let version = room.state.version
        #expect(room.join("a") == .unchanged)
        #expect(room.state.version == version)
    }

    @Test("a host that leaves hands over to the oldest member at once")
    func hostLeaves() {
        var room = RoomBuilder()
        room.wait(milliseconds: 5)
        room.join("a")
        room.wait(milliseconds: 5)
        room.join("b")
        room.run(.leave(memberID: "host", cause: .left))
        #expect(room.control.hostID == "a")
        room.join("host-again", credential: "c-host")
        #expect(room.control.hostID == "a")
    }

    @Test("a disconnected host gets the role back within the grace time (C18)")
    func hostReturns() {
        var room = RoomBuilder()
        room.join("a")
        room.run(.leave(memberID: "host", cause: .disconnected))
        #expect(room.control.hostID == nil)
        room.wait(milliseconds: 59_000)
        #expect(room.run(.checkHost(nowMilliseconds: room.now)) == .unchanged)
        room.join("host-2", credential: "c-host")
        #expect(room.control.hostID == "host-2")
    }

    @Test("after the grace time the oldest member becomes host (C17)")
    func graceEnds() {
        var room = RoomBuilder()
        room.wait(milliseconds: 1)
        room.join("a")
        room.wait(milliseconds: 1)
        room.join("b")
        room.run(.leave(memberID: "host", cause: .disconnected))
        room.wait(milliseconds: 60_001)
        room.run(.checkHost(nowMilliseconds: room.now))
        #expect(room.control.hostID == "a")
        room.join("host-2", credential: "c-host")
        #expect(room.control.hostID == "a")
    }

    @Test("the name of the host is no way to the role (C6)")
    func nameIsNoCredential() {
        var room = RoomBuilder()
        room.run(.leave(memberID: "host", cause: .disconnected))
        let impostor = RoomBuilder.member("x", credential: "c-x", joinedAt: room.now, name: "host")
        room.run(.join(Joiner(member: impostor, verifiedHash: nil)))
        #expect(room.control.hostID == nil)
    }

    @Test("an empty room whose host's grace is over gives the role to the next who comes")
    func emptyRoom() {
        var room = RoomBuilder()
        room.run(.leave(memberID: "host", cause: .disconnected))
        #expect(room.control.emptySince > 0)
        room.wait(milliseconds: 61_000)
        room.join("a")
        #expect(room.control.hostID == "a")
        #expect(room.control.emptySince == 0)
    }

    @Test("a member of a dead instance is replaced by the same person, host role and place kept")
    func takeOver() {
        var room = RoomBuilder()
        room.wait(milliseconds: 10)
        room.join("a")
        room.wait(milliseconds: 10)
        room.join("host-2", credential: "c-host", holder: "server-2#9", gone: ["server-1#1"])
        #expect(room.memberIDs == ["host-2", "a"])
        #expect(room.control.hostID == "host-2")
    }

    @Test("a second tab of the same browser is another member")
    func secondTab() {
        var room = RoomBuilder()
        room.join("tab-2", credential: "c-host")
        #expect(room.control.members.count == 2)
        #expect(room.control.hostID == "host")
    }

    @Test("when the host's connection is lost, the same browser's second tab is host at once")
    func secondTabInherits() {
        var room = RoomBuilder()
        room.join("a")
        room.wait(milliseconds: 5)
        room.join("tab-2", credential: "c-host")
        room.run(.leave(memberID: "host", cause: .disconnected))
        #expect(room.control.hostID == "tab-2")
        #expect(room.memberIDs == ["a", "tab-2"])
    }

    @Test("a host that was back before its instance was known to be dead is host after the sweep")
    func earlyReturn() {
        var room = RoomBuilder()
        room.join("a")
        room.join("b", holder: "server-2#2")
        room.join("host-2", credential: "c-host", holder: "server-2#2")
        #expect(room.control.hostID == "host")
        room.run(.sweep(holder: "server-1#1"))
        #expect(room.control.hostID == "host-2")
        #expect(Set(room.memberIDs) == ["b", "host-2"])
    }

    @Test("a sweep removes only what the dead incarnation still holds")
    func sweep() {
        var room = RoomBuilder()
        room.join("a", holder: "server-2#2")
        room.join("host-2", credential: "c-host", holder: "server-2#2", gone: ["server-1#1"])
        room.join("b", holder: "server-1#1")
        room.run(.sweep(holder: "server-1#1"))
        #expect(Set(room.memberIDs) == ["a", "host-2"])
        #expect(room.run(.sweep(holder: "server-1#1")) == .unchanged)
    }

    @Test("a full room refuses, and lets in who replaces a member")
    func full() {
        var room = RoomBuilder()
        room.limits.members = 2
        room.join("a")
        #expect(room.join("b") == .refused(.roomFull))
        room.join("a-2", credential: "c-a", holder: "server-2#2", gone: ["server-1#1"])
        #expect(Set(room.memberIDs) == ["host", "a-2"])
    }

    @Test("only the host deletes; a stranger is no member")
    func deletion() {
        var room = RoomBuilder()
        room.join("a")
        #expect(room.run(.delete(by: "a")) == .refused(.notHost))
        #expect(room.run(.delete(by: "x")) == .refused(.notMember))
        room.run(.delete(by: "host"))
        #expect(room.control.members.isEmpty)
    }
}

@Suite("Who may come into a protected room")
struct AuthorisationTests {
    @Test("without the password nobody comes in (C1)")
    func refused() {
        var room = RoomBuilder(password: "hash")
        #expect(room.join("a") == .refused(.invalidPassword))
        #expect(room.join("a", verified: "other hash") == .refused(.invalidPassword))
        #expect(room.control.members.count == 1)
    }

    @Test("who showed the password comes back without it, for twelve hours")
    func credential() {
        var room = RoomBuilder(password: "hash")
        room.join("a", verified: "hash")
        room.run(.leave(memberID: "a", cause: .disconnected))
        room.wait(milliseconds: 11 * 3_600_000)
        room.join("a-2", credential: "c-a")
        #expect(room.control.members["a-2"] != nil)
        room.run(.leave(memberID: "a-2", cause: .disconnected))
        room.wait(milliseconds: 12 * 3_600_000)
        #expect(room.join("a-3", credential: "c-a") == .refused(.invalidPassword))
    }

    @Test("an empty credential is none")
    func emptyCredential() {
        var room = RoomBuilder(password: "hash")
        room.join("a", credential: "", verified: "hash")
        #expect(room.join("b", credential: "") == .refused(.invalidPassword))
    }

    @Test("authorised credentials are bounded; members keep theirs")
    func bounded() {
        var room = RoomBuilder(password: "hash")
        room.limits.authorisedCredentials = 10
        for index in 0..<50 {
            room.wait(milliseconds: 1)
            room.join("m\(index)", verified: "hash")
            room.run(.leave(memberID: "m\(index)", cause: .left))
        }
        #expect(room.control.authorised.count <= 10)
        #expect(room.control.authorised["c-host"] != nil)
    }
}

@Suite("Full uploads")
struct UploadTests {
    @Test("the same upload again is acknowledged and not stored (R18)")
    func duplicate() throws {
        let scene = try SceneUpload.scene("one")
        var room = RoomBuilder(editor: scene)
        let decision = room.run(.upload(scene, by: "host", basedOn: room.state.version))
        #expect(decision == .unchanged)
    }

    @Test("an upload from before what others did is acknowledged and not stored (R22)")
    func stale() throws {
        var room = RoomBuilder(editor: try .scene("one"))
        room.join("a")
        let base = room.state.version
        room.run(.edit(.background(.null), by: "a"))
        let upload = try SceneUpload.scene("old")
        #expect(room.run(.upload(upload, by: "host", basedOn: base)) == .stale)
        #expect(
            room.run(.upload(upload, by: "host", basedOn: room.state.version)) != .stale)
    }

    @Test("the uploader's own edits do not make an upload stale")
    func ownEdits() throws {
        var room = RoomBuilder(editor: try .scene("one"))
        let base = room.state.version
        room.run(.edit(.background(.null), by: "host"))
        room.run(.edit(.background(.null), by: "host"))
        let decision = room.run(.upload(try .scene("two"), by: "host", basedOn: base))
        guard case .commit(_, conditional: true) = decision else {
            Issue.record("\(decision)")
            return
        }
    }

    @Test("an edit by somebody who is no member is refused (C5)")
    func outsider() throws {
        var room = RoomBuilder()
        #expect(room.run(.edit(.background(.null), by: "x")) == .refused(.notMember))
        let upload = try SceneUpload.scene("x")
        #expect(
            room.run(.upload(upload, by: "x", basedOn: .max)) == .refused(.notMember))
    }
}
