import Rooms
import Testing

@testable import RoomStore

/// What an instance holds while the shared store is away.
@Suite("A fallback store that may hold little")
struct BoundsTests {
    let shared = MemoryRoomStore.sharedByAll()
    static let limit = 8_000

    private var limits: RoomStoreLimits {
        var limits = RoomStoreLimits()
        limits.localBytes = Self.limit
        limits.localMembershipBytes = 2_000
        return limits
    }

    private func held(_ instance: Instance) -> Int {
        instance.store.rooms.withLockedValue { $0.counts.localBytes + $0.tailBytes }
    }

    @Test("forgets first what it only remembers, of the rooms longest left alone")
    func forgetsTheOldest() async throws {
        let instance = Instance("one", over: shared, limits: limits)
        let rooms = ["a", "b", "c"].map { instance.replica($0) }
        for room in rooms {
            try await room.create()
            for index in 0..<9 { try await room.edit("o\(index)", "x") }
        }
        let before = held(instance)
        instance.cut()
        #expect(try await rooms[2].edit("during", "x").isDurable == false)
        #expect(instance.store.counts.forgottenTails >= 1)
        #expect(held(instance) < before && held(instance) <= Self.limit)
        let tails = instance.store.rooms.withLockedValue { state in
            ["a", "b", "c"].map { state.records[$0]?.tail.count ?? 0 }
        }
        #expect(tails[0] == 0 && tails[2] > 0, "\(tails)")
        instance.heal()
        try await instance.isDurable()
        #expect(shared.logIDs("c").count == 11)
    }

    @Test("refuses scene changes then, not who comes and goes, and has all it took in the end")
    func refuses() async throws {
        let instance = Instance("one", over: shared, limits: limits)
        let room = instance.replica()
        try await room.create()
        instance.cut()
        var taken: [String] = []
        await #expect(throws: RoomStoreError.refusesWrites(code: "STORAGE_UNAVAILABLE")) {
            for index in 0..<100 {
                try await room.edit("o\(index)", "x")
                taken.append("o\(index)")
                #expect(held(instance) <= Self.limit)
            }
        }
        #expect((10...30).contains(taken.count))
        let carl = Fixture.member("carl")
        try await room.commit(.joined(carl, replacing: nil, takesHost: false))
        await #expect(throws: RoomStoreError.self) { try await room.edit("more", "x") }
        try await room.commit(.left(memberID: "carl", cause: .left))
        await #expect(throws: RoomStoreError.self) {
            for index in 0..<20 { try await room.commit(.renamed(memberID: "x", name: "\(index)")) }
        }
        #expect(held(instance) <= Self.limit + limits.localMembershipBytes)
        instance.heal()
        try await instance.isDurable()
        let state = try #require(try await shared.stored()?.state())
        for object in taken { #expect(state.scene.contains(object)) }
        #expect(Set(state.control.members.keys) == ["anna"])
        #expect(instance.store.counts.localBytes == 0)
        #expect(try await room.edit("after", "x").isDurable == true)
    }
}
