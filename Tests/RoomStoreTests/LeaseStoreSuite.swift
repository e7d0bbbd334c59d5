import NIOCore
import NIOPosix
import RoomStore
import Testing

@Suite("Every lease store", .serialized)
struct LeaseStoreSuite {
    private func lease(_ incarnation: String, beat: UInt64) -> Lease {
        Lease(
            incarnation: incarnation, instanceID: "server-1", publicURL: "http://localhost:3001",
            beat: beat, isReady: true, isDraining: false, clock: 1 << 52, rooms: 3, users: 4)
    }

    @Test("shows each instance the leases of all", arguments: [StoreKind.memory, .redis])
    func renew(_ kind: StoreKind) async throws {
        try await withStores(kind) { cluster in
            let (one, two) = (lease("server-1#1", beat: 1), lease("server-2#1", beat: 18))
            #expect(try await cluster.leases.renew(one).value() == .renewed([one]))
            guard case .renewed(let leases) = try await cluster.leases.renew(two).value() else {
                Issue.record("fenced")
                return
            }
            #expect(Set(leases) == [one, two])
            try await cluster.leases.release("server-1#1").value()
            #expect(try await cluster.leases.renew(two).value() == .renewed([two]))
        }
    }

    @Test("fences only the beat that was seen", arguments: [StoreKind.memory, .redis])
    func fence(_ kind: StoreKind) async throws {
        try await withStores(kind) { cluster in
            let leases = cluster.leases
            _ = try await leases.renew(lease("server-1#1", beat: 12)).value()
            #expect(try await leases.fence("server-1#1", beat: 1).value() == false)
            #expect(try await leases.isFenced("server-1#1").value() == false)
            #expect(try await leases.fence("server-1#1", beat: 11).value() == false)
            #expect(try await leases.fence("server-1#1", beat: 12).value())
            #expect(try await leases.isFenced("server-1#1").value())
            #expect(try await leases.renew(lease("server-1#1", beat: 13)).value() == .fenced)
            #expect(try await leases.fence("server-1#1", beat: 12).value(), "it still is")
            #expect(try await leases.fence("unknown#1", beat: 4).value() == false)
            #expect(try await leases.fence("unknown#1", beat: nil).value())
            let other = lease("server-2#1", beat: 1)
            #expect(try await leases.renew(other).value() == .renewed([other]))
        }
    }
}
