import NIOCore
import NIOPosix
import Redis
import Rooms
import TestKit
import Testing

@testable import RoomStore

/// Instances over a real Redis that is killed.
@Suite("A fallback store over Redis", .serialized)
struct RedisFaultTests {
    /// What the server finds when it starts again.
    enum Return: String, CaseIterable, Sendable {
        case complete
        case empty
        case older
    }

    private func withInstances(
        of server: RedisServerProcess, count: Int = 2,
        _ body: ([FallbackRoomStore]) async throws -> Void
    ) async throws {
        try await withClients(of: server, count: count) { clients in
            try await body(
                clients.map {
                    FallbackRoomStore(
                        redis: RedisRoomStore(client: $0),
                        group: MultiThreadedEventLoopGroup.singleton)
                })
        }
    }

    /// What somebody who was not there before reads.
    private func freshState(of server: RedisServerProcess, _ room: String = "room") async throws
        -> (state: RoomState, ids: [String])
    {
        var result: (RoomState, [String])?
        try await withClients(of: server, count: 1) { clients in
            let store = RedisRoomStore(client: clients[0])
            let stored = try #require(try await store.load(room).value())
            let log = try await store.log(of: room, epoch: stored.epoch, after: 0).value()
            result = (try stored.state(room), log?.entries.map(\.entry.id) ?? [])
        }
        return try #require(result)
    }

    @Test("has everything acknowledged after kill -9 under load", arguments: Return.allCases)
    func killed(_ comeback: Return) async throws {
        let persistence =
            comeback == .complete ? ["--appendonly", "yes", "--appendfsync", "always"] : []
        let server = try RedisServerProcess(options: persistence)
        try await withInstances(of: server) { stores in
            let replicas = stores.enumerated().map { index, store in
                Replica(store, origin: "i\(index)")
            }
            try await replicas[0].create(editor: try Fixture.upload(padding: 50_000))
            try await replicas[1].open()
            for index in 0..<20 { try await replicas[index % 2].edit("before\(index)", "x") }
            if comeback == .older { try server.cli(["SAVE"]) }
            for index in 0..<20 { try await replicas[index % 2].edit("later\(index)", "x") }

            let outcomes = try await withThrowingTaskGroup(of: [Bool?].self) { group in
                for (index, replica) in replicas.enumerated() {
                    group.addTask {
                        var durable: [Bool?] = []
                        for edit in 0..<300 {
                            durable.append(
                                try await replica.edit("o\(index).\(edit)", "x").isDurable)
                            if edit > 50 { try await Task.sleep(for: .milliseconds(2)) }
                        }
                        return durable
                    }
                }
                try await Task.sleep(for: .milliseconds(60))
                server.kill()
                try await Task.sleep(for: .milliseconds(200))
                try server.start()
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(!outcomes.contains(nil))
            #expect(outcomes.contains(false), "some were taken while Redis was away")
            #expect(outcomes.contains(true))
            for store in stores {
                try await eventually("durable again") { store.state == .durable }
            }
            #expect(try await replicas[0].edit("end0", "x").isDurable == true)
            #expect(try await replicas[1].edit("end1", "x").isDurable == true)

            let fresh = try await freshState(of: server)
            let expected =
                (0..<20).flatMap { ["before\($0)", "later\($0)"] } + ["end0", "end1"]
                + (0..<300).flatMap { ["o0.\($0)", "o1.\($0)"] }
            let lost = expected.filter { !fresh.state.scene.contains($0) }
            #expect(lost.isEmpty, "lost \(lost)")
            #expect(Set(fresh.ids).count == fresh.ids.count, "nothing is in the log twice")
            for replica in replicas {
                try await eventually("the replica is at the head") {
                    try await replica.version == fresh.state.version
                }
                let view = try await replica.view()
                let isSame = view.state?.checkpoint() == fresh.state.checkpoint()
                #expect(isSame)
                #expect(!view.hasGoneBack)
            }
        }
        server.kill()
    }

    @Test("takes the word of a script whose reply never came")
    func lostReply() async throws {
        let server = try RedisServerProcess()
        try await withClients(of: server, count: 2) { clients in
            let store = FallbackRoomStore(
                redis: RedisRoomStore(client: clients[0]),
                group: MultiThreadedEventLoopGroup.singleton)
            let replica = Replica(store)
            try await replica.create()
            try await replica.edit("a", "1")
            // Stopped after it has the command: it will carry it out, and answer nobody.
            server.suspend()
            let edit = Task { try await replica.edit("b", "2").isDurable }
            try await Task.sleep(for: .milliseconds(100))
            try await eventually("the client gives up", within: .seconds(10)) {
                !clients[0].status.state.isReady
            }
            #expect(try await edit.value == false)
            try await replica.edit("c", "3")
            server.resume()
            try await eventually("durable again") { store.state == .durable }
            let fresh = try await freshState(of: server)
            #expect(fresh.ids == ["one-1", "one-2", "one-3", "one-4"])
            #expect(try await replica.version == fresh.state.version)
        }
        server.kill()
    }

    @Test("keeps rooms while Redis refuses writes, and says why")
    func outOfMemory() async throws {
        let server = try RedisServerProcess(options: ["--maxmemory-policy", "noeviction"])
        try await withInstances(of: server, count: 1) { stores in
            let store = stores[0]
            let replica = Replica(store)
            try await replica.create()
            try server.cli(["CONFIG", "SET", "maxmemory", "1"])
            #expect(try await replica.edit("a", "1").isDurable == false)
            try await eventually("it says why") {
                if case .local(_, let reason) = store.state {
                    reason == "out_of_memory"
                } else {
                    false
                }
            }
            try server.cli(["CONFIG", "SET", "maxmemory", "0"])
            try await eventually("durable again") { store.state == .durable }
            #expect(try await freshState(of: server).ids == ["one-1", "one-2"])
        }
        server.kill()
    }

    @Test("works from the start without Redis, and joins it when it comes")
    func absentAtStart() async throws {
        let server = try RedisServerProcess()
        server.kill()
        let client = try RedisClient(
            configuration: RedisConfiguration(port: server.port),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        client.start()
        let store = FallbackRoomStore(
            redis: RedisRoomStore(client: client), group: MultiThreadedEventLoopGroup.singleton)
        let replica = Replica(store)
        try await replica.create()
        try await replica.edit("a", "1")
        #expect(try await store.summaries().value().map(\.id) == ["room"])
        try server.start()
        try await eventually("durable") { store.state == .durable }
        #expect(try await replica.edit("b", "2").isDurable == true)
        let fresh = try await freshState(of: server)
        #expect(fresh.ids == ["one-1", "one-2", "one-3"])
        try await client.close().value()
        server.kill()
    }

    @Test("hears of what was committed while its subscription was away")
    func missedNotices() async throws {
        let server = try RedisServerProcess()
        try await withInstances(of: server) { stores in
            let (one, two) = (Replica(stores[0], origin: "one"), Replica(stores[1], origin: "two"))
            try await one.create()
            try await two.open()
            try server.cli(["CLIENT", "KILL", "TYPE", "pubsub"])
            try await one.edit("a", "1")
            try await eventually("the other has it") { try await two.version == one.version }
            #expect(try await two.view().snapshots == 0)
        }
        server.kill()
    }
}
