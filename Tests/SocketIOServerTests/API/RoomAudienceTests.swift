import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestKit
import Testing

@testable import SocketIOServer

/// What all of a room are sent, and what is sent to one, reach each client once and in order.
@Suite(.timeLimit(.minutes(1)))
struct RoomAudienceTests {
    /// A server with one loop and its clients, and what each has yet to be sent.
    private final class House: @unchecked Sendable {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let clientGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server: SocketIOServer
        var clients: [WebSocketClient] = []
        var sockets: [Socket] = []
        /// Touched on the server's loop, and after that by the test.
        var expected: [[String]] = []
        var rooms: [Set<String>] = []
        private(set) var count = 0

        init(_ count: Int) async throws {
            var options = ServerOptions()
            options.host = "127.0.0.1"
            options.port = 0
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            var limits = SocketLimits()
            limits.volatileBufferBytes = .max
            server = SocketIOServer(
                options: options, limits: limits, eventLoopGroup: group, logger: logger)
            let arrived = NIOLockedValueBox<[Socket]>([])
            server.of("/").onConnection { socket in
                arrived.withLockedValue { $0.append(socket) }
            }
            let address = try await server.start()
            for _ in 0..<count {
                let client = try await WebSocketClient.connect(address, on: clientGroup)
                _ = await client.next()
                try await client.send("40")
                _ = await client.next()
                clients.append(client)
            }
            sockets = arrived.withLockedValue { $0 }
            expected = Array(repeating: [], count: count)
            rooms = Array(repeating: [], count: count)
        }

        func onLoop(_ body: @escaping @Sendable () -> Void) async throws {
            try await group.any().submit(body).get()
        }

        func join(_ index: Int, _ room: String) {
            sockets[index].join(room)
            rooms[index].insert(room)
        }

        func leave(_ index: Int, _ room: String) {
            sockets[index].leave(room)
            rooms[index].remove(room)
        }

        func emit(_ index: Int, padding: Int = 0) {
            let (name, text) = next(padding)
            sockets[index].emit(name, .string(text))
            expected[index].append("42[\"\(name)\",\"\(text)\"]")
        }

        func broadcast(
            _ room: String?, except: Set<Int> = [], padding: Int = 0, isVolatile: Bool = false
        ) {
            let (name, text) = next(padding)
            var target = server.of("/").broadcast.except(except.map { sockets[$0].id })
            if let room { target = target.to(room) }
            if isVolatile { target = target.volatile }
            target.emit(name, .string(text))
            for index in sockets.indices
            where !except.contains(index) && isIn(index, room) {
                expected[index].append("42[\"\(name)\",\"\(text)\"]")
            }
        }

        private func isIn(_ index: Int, _ room: String?) -> Bool {
            guard let room else { return true }
            return rooms[index].contains(room) || sockets[index].id == room
        }

        private func next(_ padding: Int) -> (String, String) {
            count += 1
            return ("e\(count)", String(repeating: "x", count: padding))
        }

        /// Reads all that is expected, and finds nothing before or between.
        func check(_ sourceLocation: SourceLocation = #_sourceLocation) async {
            for (index, client) in clients.enumerated() {
                for text in expected[index] {
                    let found = await client.next()
                    guard found != text else { continue }
                    Issue.record(
                        "client \(index): \(found?.prefix(40) ?? "-") for \(text.prefix(40))",
                        sourceLocation: sourceLocation)
                    return
                }
                expected[index] = []
            }
        }

        func end() async throws {
            try await server.shutdown().get()
            try await group.shutdownGracefully()
            try await clientGroup.shutdownGracefully()
        }
    }

    @Test func membersHearAllButTheirOwn() async throws {
        let house = try await House(4)
        try await house.onLoop {
            for index in 0..<4 { house.join(index, "room") }
            for round in 0..<40 {
                house.broadcast("room", except: [round % 4])
                if round % 3 == 0 { house.emit(round % 4) }
            }
        }
        await house.check()
        try await house.end()
    }

    @Test func whatWasSentBeforeSomebodyLeftStillReachesHim() async throws {
        let house = try await House(3)
        try await house.onLoop {
            for index in 0..<3 { house.join(index, "room") }
            house.broadcast("room")
        }
        try await house.onLoop {
            house.broadcast("room")
            house.leave(0, "room")
            house.broadcast("room")
            house.join(0, "room")
            house.broadcast("room")
            house.sockets[1].disconnect()
            house.expected[1].append("41")
            house.rooms[1] = []
            house.broadcast("room")
        }
        await house.check()
        try await house.end()
    }

    @Test func whatTheKernelDoesNotTakeAtOnceComesInOrder() async throws {
        let house = try await House(3)
        try await house.onLoop { for index in 0..<3 { house.join(index, "room") } }
        for _ in 0..<4 {
            try await house.onLoop {
                for round in 0..<400 {
                    house.broadcast("room", padding: 15_000)
                    if round % 50 == 0 { house.emit(round % 3) }
                }
            }
            try await house.onLoop { house.broadcast("room") }
            await house.check()
        }
        try await house.end()
    }

    @Test func whatIsSentWhileOthersAreFlushedKeepsItsOrder() async throws {
        let house = try await House(3)
        try await house.onLoop {
            for index in 0..<3 { house.join(index, "room") }
            house.sockets[0].onBackedUp {
                house.emit(1)
                house.broadcast("room", except: [0])
            }
            house.broadcast("room")
        }
        try await house.onLoop {
            house.broadcast("room")
            house.emit(0, padding: 7_000_000)
        }
        await house.check()
        #expect(house.count == 5)
        try await house.end()
    }

    /// Anything in any order, many times in one tick.
    @Test(arguments: 1...12) func everybodyGetsEverythingInOrder(seed: UInt64) async throws {
        let house = try await House(6)
        for tick in 0..<40 {
            try await house.onLoop {
                var random = SeededGenerator(seed: seed * 1_000 + UInt64(tick))
                for _ in 0..<Int.random(in: 1...30, using: &random) {
                    let member = Int.random(in: 0..<6, using: &random)
                    let room = Bool.random(using: &random) ? "a" : "b"
                    let others = Set(
                        (0..<6).filter { _ in .random(in: 0..<4, using: &random) == 0 })
                    switch Int.random(in: 0..<16, using: &random) {
                    case 0: house.join(member, room)
                    case 1: house.leave(member, room)
                    case 2, 3: house.emit(member)
                    case 4: house.broadcast(nil, except: others)
                    case 5: house.broadcast(room, isVolatile: true)
                    case 6: house.broadcast(room, padding: 20_000)
                    case 7: house.sockets[member].holdOffsets("test")
                    case 8: house.sockets[member].releaseOffsets("test")
                    case 9: house.broadcast(house.sockets[member].id)
                    case 10: house.broadcast(room, except: Set(0..<6))
                    default: house.broadcast(room, except: others)
                    }
                }
            }
        }
        await house.check()
        try await house.end()
    }
}
