import Rooms
import Testing

@testable import RoomService

@Suite struct RoomListTests {
    private func room(
        _ id: String, version: Version, emptySince: Int64 = 0, holders: [String: Int] = [:]
    ) -> RoomSummary {
        var summary = RoomSummary(RoomControl(id: id, epoch: 1))
        summary.version = version
        summary.emptySince = emptySince
        summary.holders = holders
        summary.userCount = holders.values.reduce(0, +)
        return summary
    }

    @Test func theLastActiveComesFirst() {
        let list = RoomList([room("a", version: 2), room("b", version: 7), room("c", version: 7)])
        #expect(list.rooms.map(\.id) == ["c", "b", "a"])
        #expect(list["b"]?.version == 7 && list["d"] == nil)
    }

    @Test func roomsAreFoundByWhoHoldsMembers() {
        let list = RoomList([
            room("a", version: 1, holders: ["s1": 2]), room("b", version: 2),
            room("c", version: 3, holders: ["s1": 1, "s2": 1]),
        ])
        #expect(list.holders == ["s1", "s2"])
        #expect(list.rooms(with: "s1").map(\.id) == ["c", "a"])
        #expect(list.rooms(with: "s3").isEmpty)
    }

    @Test func theLongestEmptyComesFirst() {
        let list = RoomList([
            room("a", version: 1, emptySince: 30), room("b", version: 2, emptySince: 10),
            room("c", version: 3), room("d", version: 4, emptySince: 20, holders: ["s": 1]),
            room("e", version: 5, emptySince: 20), room("f", version: 6, emptySince: 31),
        ])
        #expect(list.empty(since: 30).map(\.id) == ["b", "e", "a"])
        #expect(list.empty(since: 9).map(\.id).isEmpty)
    }
}
