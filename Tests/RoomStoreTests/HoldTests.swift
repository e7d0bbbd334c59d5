import NIOConcurrencyHelpers
import NIOCore
import Redis
import Rooms
import TestKit
import Testing

@testable import RoomStore

@Suite("A room brought over while others go on with it")
struct HoldTests {
    private func withPair(
        _ body: (RedisRoomStore, RedisRoomStore, Version) async throws -> Void
    ) async throws {
        let server = try RedisServerProcess()
        try await withClients(of: server, count: 2) { clients in
            let (one, two) = (
                RedisRoomStore(client: clients[0]), RedisRoomStore(client: clients[1])
            )
            let epoch = try await one.create(try Fixture.creation()).value().epoch
            try await body(one, two, epoch)
        }
        server.kill()
    }

    private func commit(
        _ id: String, to store: RedisRoomStore, _ epoch: Version
    ) -> EventLoopFuture<CommitOutcome> {
        store.commit(Fixture.batch(epoch: epoch, [Fixture.entry(id)], expected: epoch))
    }

    @Test("the others wait with commits, the holder does not, and the end lets them go on")
    func waits() async throws {
        try await withPair { one, two, epoch in
            try await one.hold("room", epoch: epoch).value()
            let waiting = commit("two", to: two, epoch)
            let own = try await commit("one", to: one, epoch).value().first
            one.release("room")
            #expect(try await waiting.value().first > own)
        }
    }

    @Test("a hold that nobody ends is over by itself")
    func ends() async throws {
        try await withPair { one, two, epoch in
            try await one.hold("room", epoch: epoch).value()
            #expect(try await commit("two", to: two, epoch).value(within: .seconds(5)).first > 0)
        }
    }

    @Test("a second hold of another store does not take it over")
    func second() async throws {
        try await withPair { one, two, epoch in
            try await one.hold("room", epoch: epoch).value()
            try await two.hold("room", epoch: epoch).value()
            #expect(try await commit("one", to: one, epoch).value(within: .seconds(5)).first > 0)
        }
    }

    @Test("what was sent on a connection given up since is refused once that is said")
    func late() async throws {
        try await withPair { one, two, epoch in
            one.generation.withLockedValue { $0 = 1 }
            try await one.barLateCommits(to: "room", epoch: epoch).value()
            one.generation.withLockedValue { $0 = 0 }
            await #expect(throws: RoomStoreError.self) {
                try await commit("late", to: one, epoch).value()
            }
            one.generation.withLockedValue { $0 = 1 }
            #expect(try await commit("one", to: one, epoch).value().first > epoch)
            #expect(try await commit("two", to: two, epoch).value().first > epoch)
            let log = try await one.load("room").value()?.entries.map(\.entry.id)
            #expect(log == ["c.0", "one", "two"])
        }
    }
}
