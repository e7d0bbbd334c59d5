import Testing

@testable import RoomService

/// The list of all rooms: read seldom, however many ask (C44).
@Suite struct DirectoryTests {
    private func ask(_ world: World, _ client: TestClient) -> Int {
        client.emit("get-rooms")
        world.run()
        return client.next("rooms-list")?.elements.count ?? -1
    }

    @Test func aHundredWhoAskAreAnsweredFromOneRead() throws {
        let world = try World()
        _ = try world.host()
        world.advance(.milliseconds(1_100))
        let clients = (0..<100).map { _ in world.connect() }
        let before = world.store.calls(.summaries)
        world.store.holding = [.summaries]
        for client in clients { client.emit("get-rooms") }
        world.run()
        world.store.release()
        world.run()
        for client in clients { #expect(client.takeNames() == ["rooms-list"]) }
        #expect(world.store.calls(.summaries) == before + 1)
    }

    @Test func aListIsGoodForHalfASecond() throws {
        let world = try World()
        let client = world.connect()
        _ = ask(world, client)
        let before = world.store.calls(.summaries)
        world.advance(.milliseconds(400))
        _ = ask(world, client)
        #expect(world.store.calls(.summaries) == before)
        world.advance(.milliseconds(150))
        _ = ask(world, client)
        #expect(world.store.calls(.summaries) == before + 1)
    }

    @Test func whoMadeARoomSeesItAtOnce() throws {
        let world = try World()
        let client = world.connect()
        #expect(ask(world, client) == 0)
        _ = try world.host()
        #expect(ask(world, client) == 1)
    }

    @Test func aChangeDuringAReadIsSeenByWhoAsksAfterIt() throws {
        let world = try World()
        let (early, late, third) = (world.connect(), world.connect(), world.connect())
        world.store.holding = [.summaries]
        early.emit("get-rooms")
        world.run()
        let first = try #require(world.store.takeHeld())
        first.proceed()
        // The list was read, its answer is on its way; now a room is made.
        world.store.holding = [.summaries]
        let before = world.store.calls(.summaries)
        world.loops[0].perform { world.service.directory.noteChange() }
        late.emit("get-rooms")
        third.emit("get-rooms")
        world.run()
        #expect(early.next("rooms-list") != nil)
        #expect(late.take().isEmpty && third.take().isEmpty)
        _ = try world.host()
        world.store.release()
        world.run()
        #expect(late.next("rooms-list")?.elements.count == 1)
        #expect(third.next("rooms-list")?.elements.count == 1)
        #expect(world.store.calls(.summaries) == before + 1)
    }

    @Test func aFailedReadIsNotKept() throws {
        let world = try World()
        let client = world.connect()
        world.store.failing = [.summaries: .unavailable("away")]
        let ack = client.call("get-rooms")
        world.run()
        let messages = client.take()
        #expect(messages.map(\.name) == ["rooms-list", ack])
        #expect(messages.last?.payload["error"]?["code"]?.string == "STORAGE_UNAVAILABLE")
        world.store.failing = [:]
        _ = try world.host()
        #expect(ask(world, client) == 1)
    }
}
