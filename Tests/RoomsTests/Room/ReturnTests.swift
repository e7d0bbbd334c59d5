import Rooms
import Testing

/// Members whose connection broke, and who come back.
@Suite struct ReturnTests {
    private static let here = "server-1#1"
    private static let there = "server-2#2"

    private func room(password: String? = nil) -> RoomBuilder {
        var room = RoomBuilder(password: password)
        var member = RoomBuilder.member("anna", credential: "", joinedAt: room.now)
        member.returnKey = "key"
        room.run(.join(Joiner(member: member, verifiedHash: password)))
        return room
    }

    @Test func aMovedMemberIsWhoItWas() throws {
        var room = room()
        let before = try #require(room.control.members["anna"])
        room.run(.markAway(memberID: "anna", holder: Self.here))
        #expect(room.control.members["anna"]?.isAway == true)
        let decision = room.run(.claim(memberID: "anna", key: "key", holder: Self.there))
        #expect(
            decision
                == .commit([.moved(memberID: "anna", holder: Self.there)], conditional: true))
        var expected = before
        expected.holder = Self.there
        #expect(room.control.members["anna"] == expected)
        #expect(room.control.hostID == "host")
        #expect(room.control.holders == [Self.here: 1, Self.there: 1])
    }

    @Test func nobodyIsClaimedWithoutTheSecret() {
        var room = room()
        for (id, key) in [("anna", "wrong"), ("anna", ""), ("host", ""), ("nobody", "key")] {
            let decision = room.run(.claim(memberID: id, key: key, holder: Self.there))
            #expect(decision == .refused(.notMember))
        }
    }

    @Test func onlyWhoHoldsAMemberSaysThatItIsAway() {
        var room = room()
        #expect(room.run(.markAway(memberID: "anna", holder: Self.there)) == .unchanged)
        room.run(.claim(memberID: "anna", key: "key", holder: Self.there))
        #expect(room.run(.markAway(memberID: "anna", holder: Self.here)) == .unchanged)
        #expect(room.control.members["anna"]?.isAway == false)
    }

    @Test func whoCameBackDoesNotExpire() {
        var room = room()
        #expect(room.run(.expire(memberID: "anna", holder: Self.here)) == .unchanged)
        room.run(.markAway(memberID: "anna", holder: Self.here))
        room.run(.claim(memberID: "anna", key: "key", holder: Self.here))
        #expect(room.run(.expire(memberID: "anna", holder: Self.here)) == .unchanged)
        room.run(.markAway(memberID: "anna", holder: Self.here))
        #expect(room.run(.expire(memberID: "anna", holder: Self.there)) == .unchanged)
        let left = RoomEntry.Change.left(memberID: "anna", cause: .disconnected, name: "anna")
        #expect(
            room.run(.expire(memberID: "anna", holder: Self.here))
                == .commit([left], conditional: true))
    }

    @Test func theSecretOpensAProtectedRoomInPlaceOfTheMember() {
        var room = room(password: "hash")
        let again = RoomBuilder.member("anna-2", credential: "other", joinedAt: room.now)
        let stranger = Joiner(
            member: again, verifiedHash: nil,
            returning: Joiner.Proof(memberID: "anna", key: "wrong"))
        #expect(room.run(.join(stranger)) == .refused(.notMember))
        let known = Joiner(
            member: again, verifiedHash: nil, returning: Joiner.Proof(memberID: "anna", key: "key"))
        room.run(.join(known))
        #expect(Set(room.control.members.keys) == ["host", "anna-2"])
    }

    /// A client without the secret is recognised by its cookie as soon as its connection is gone.
    @Test func whoIsAwayIsReplacedByTheSamePerson() {
        var room = room()
        room.join("host-2", credential: "c-host")
        #expect(room.control.members.count == 3)
        room.run(.markAway(memberID: "host", holder: Self.here))
        room.join("host-3", credential: "c-host")
        #expect(Set(room.control.members.keys) == ["anna", "host-2", "host-3"])
        #expect(room.control.hostID == "host-3")
    }

    @Test func aCheckpointKeepsSecretAndAbsence() throws {
        var room = room()
        room.run(.markAway(memberID: "anna", holder: Self.here))
        let restored = try RoomState(checkpoint: room.state.checkpoint()[...])
        #expect(restored.control == room.control)
    }

    @Test func membersOfOlderVersionsAreRead() throws {
        let stored = """
            {"k":"joined","i":"1","member":{"id":"a","name":"A","credential":"c","holder":"h",\
            "joined":5},"replacing":null,"host":false}
            """
        let entry = try RoomEntry(encoded: Array(stored.utf8)[...])
        let member = Member(id: "a", name: "A", credential: "c", holder: "h", joinedAt: 5)
        #expect(entry.change == .joined(member, replacing: nil, takesHost: false))
        #expect(entry.encoded == Array(stored.utf8))
        let left = try RoomEntry(
            encoded: Array(#"{"k":"left","i":"2","member":"a","cause":"left"}"#.utf8)[...])
        #expect(left.change == .left(memberID: "a", cause: .left))
    }
}
