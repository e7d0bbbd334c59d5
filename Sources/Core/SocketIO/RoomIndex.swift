/// Who is in which room, looked up from both sides.
///
/// Invariants: a member is in a room's set exactly when the room is in the member's; no empty set
/// is kept on either side.
package struct RoomIndex<Member: Hashable> {
    private var membersByRoom: [String: Set<Member>] = [:]
    private var roomsByMember: [Member: Set<String>] = [:]

    package init() {}

    package var roomCount: Int { membersByRoom.count }
    package var rooms: some Collection<String> { membersByRoom.keys }

    package func members(of room: String) -> Set<Member> { membersByRoom[room] ?? [] }
    package func rooms(of member: Member) -> Set<String> { roomsByMember[member] ?? [] }
    package func contains(_ member: Member, in room: String) -> Bool {
        membersByRoom[room]?.contains(member) ?? false
    }

    /// False if the member was in the room already.
    @discardableResult
    package mutating func join(_ member: Member, _ room: String) -> Bool {
        roomsByMember[member, default: []].insert(room)
        return membersByRoom[room, default: []].insert(member).inserted
    }

    /// False if the member was not in the room.
    @discardableResult
    package mutating func leave(_ member: Member, _ room: String) -> Bool {
        guard roomsByMember[member]?.remove(room) != nil else { return false }
        if roomsByMember[member]?.isEmpty == true { roomsByMember[member] = nil }
        membersByRoom[room]?.remove(member)
        if membersByRoom[room]?.isEmpty == true { membersByRoom[room] = nil }
        return true
    }

    /// Takes the member out of all its rooms, and returns them.
    @discardableResult
    package mutating func remove(_ member: Member) -> Set<String> {
        let rooms = rooms(of: member)
        for room in rooms { leave(member, room) }
        return rooms
    }
}

extension RoomIndex: Sendable where Member: Sendable {}
