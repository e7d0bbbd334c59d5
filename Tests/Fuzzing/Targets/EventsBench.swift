import Cluster
import Foundation
import Logging
import NIOCore
import NIOPosix
import Rooms
import Secrets
import TestKit

@testable import RoomService
@testable import RoomStore
@testable import SocketIOServer

/// One instance with its rooms in memory, on a loop and a clock of the fuzzer's own.
final class EventsBench {
    static let contract = Set(ClientEvent.allCases.map(\.rawValue))
    private static let logger = Logger(label: "fuzz") { _ in SwiftLogNoOpLogHandler() }
    /// Shared, so that its threads need no end.
    private static let hashing = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private static let hasher = PasswordHasher(
        group: hashing,
        parameters: ScryptParameters(logCost: 2, blockSize: 1, parallelism: 1) ?? .standard)

    private let time = ManualTime()
    private let loop: ManualLoop
    private let store: MemoryRoomStore
    private let service: RoomService
    private let namespaces: NamespaceTable
    private let hasPasswords: Bool
    private var clients: [FuzzClient?] = [nil, nil, nil, nil]
    private var opened = 0

    /// - Parameter hasPasswords: whether some may be hashed; waiting for that costs time.
    init(seed: UInt8, hasPasswords: Bool) throws {
        self.hasPasswords = hasPasswords
        let time = time
        let loop = ManualLoop(time)
        self.loop = loop
        store = MemoryRoomStore(group: loop)
        let nodes = try ClusterNodes(parsing: "server-1=127.0.0.1:3001=http://one")
        let cluster = ClusterService(
            own: nodes.nodes[0], nodes: nodes, leaseStore: nil, options: MembershipOptions(),
            clock: SharedClock(wallMilliseconds: 1_800_000_000_000) { time.now },
            identity: InstanceIdentity(instanceID: "server-1"), eventLoop: loop,
            logger: Self.logger, probe: { _ in loop.makeSucceededFuture(.silent) })
        var limits = SocketLimits()
        limits.maxNamespacesPerConnection = 2
        namespaces = NamespaceTable(loops: [loop], limits: limits) { _, loops, _ in
            LocalAdapter(loops: loops)
        }
        var options = RoomServiceOptions()
        if seed & 1 == 1 {
            options.room.members = 2
            options.limits.eventBurst = 10
            options.limits.queuedOperations = 2
            options.limits.waitingRequests = 1
            options.limits.checkpointBytes = 500
            options.limits.heldEvents = 1
            options.emptyRoomMilliseconds = 1_000
        }
        service = RoomService(
            options: options, store: store, namespace: namespaces.obtain("/"), cluster: cluster,
            hasher: Self.hasher, metrics: RoomMetrics(), eventLoops: [loop],
            isStoreSettled: { true }, logger: Self.logger)
        service.start()
    }

    // MARK: What happens

    /// A message of a browser, which connects if it has not.
    func send(_ message: ArraySlice<UInt8>, from index: Int) {
        let isBinary = message.first == UInt8(ascii: "b")
        let message = isBinary ? message.dropFirst() : message
        var client = clients[index] ?? connect(index)
        defer { clients[index] = client }
        guard client.session.isOpen, client.sends(message, isBinary: isBinary) else { return }
        let session = client.session
        loop.perform {
            if isBinary {
                session.delegate?.engineSession(session, receivedBinary: Array(message)[...])
            } else {
                session.delegate?.engineSession(session, received: Array(message)[...])
            }
        }
    }

    /// `t` and a letter: time goes by; `r`: the loop runs; `x` and a digit: the connection breaks;
    /// `d`, a digit and the beginning of a message: the message was too long to be taken in.
    func happen(_ line: ArraySlice<UInt8>) {
        let argument = line.dropFirst().first ?? 0
        switch line.first {
        case UInt8(ascii: "t"): advance(.milliseconds(1 << (Int(argument) & 15)))
        case UInt8(ascii: "r"): run()
        case UInt8(ascii: "x"): disconnect(Int(argument & 3))
        case UInt8(ascii: "d"):
            guard let session = clients[Int(argument & 3)]?.session else { return }
            let prefix = Array(line.dropFirst(2))
            guard String(validating: prefix, as: UTF8.self) != nil else { return }
            loop.perform {
                session.delegate?.engineSession(
                    session, discardedMessageOf: 1 << 25, prefix: prefix[...])
            }
        default: break
        }
    }

    private func connect(_ index: Int) -> FuzzClient {
        opened += 1
        let session = FuzzSession(
            loop, id: "s\(opened)", cookie: String(repeating: "\(index)", count: 32))
        loop.perform {
            _ = SocketIOConnection(
                session, namespaces: namespaces, logger: Self.logger)
            session.delegate?.engineSession(session, received: Array("0".utf8)[...])
        }
        run()
        var client = FuzzClient(session)
        try? client.read()
        return client
    }

    private func disconnect(_ index: Int) {
        guard let client = clients[index] else { return }
        loop.perform { client.session.close(.transportClose) }
        clients[index] = nil
    }

    // MARK: Time

    /// Until nothing is left to do now, passwords included, which other threads hash.
    private func run() {
        repeat {
            loop.run()
            guard hasPasswords else { return }
            while Self.hasher.waitingCount > 0 { sched_yield() }
            // Behind the last result, which hops from that loop to ours.
            try? Self.hashing.next().submit {}.wait()
        } while loop.run()
    }

    private func advance(_ duration: Duration) {
        run()
        let end = time.now + duration
        while let next = loop.nextDeadline, next <= end {
            time.now = max(time.now, next)
            run()
        }
        time.now = end
        run()
    }

    // MARK: Rules

    func end() throws {
        advance(.seconds(6))
        for index in clients.indices {
            try clients[index]?.read()
            try clients[index]?.checkAnswers()
        }
        try checkRooms()
        for index in clients.indices { disconnect(index) }
        advance(.seconds(2))
        try require(service.counts.users == 0, "clients that are gone are counted")
        try require(service.counts.members == 0, "members that are gone are counted")
        for summary in store.contents.summaries {
            try require(summary.userCount == 0, "a room keeps members that are gone")
        }
        service.stop()
        loop.shutDown()
    }

    /// What is served is what is stored, and names only members with a connection.
    private func checkRooms() throws {
        let shard = service.registry.shard(for: "")
        for summary in store.contents.summaries {
            guard let live = loop.perform({ shard.liveRoom(summary.id) }),
                let stored = store.contents.room(summary.id)?.stored
            else { continue }
            let state = try RoomState(stored: stored, id: summary.id)
            let served = loop.perform { live.state }
            try require(served.control == state.control, "a room is served otherwise than stored")
            try require(
                served.scene.editorData() == state.scene.editorData(),
                "a scene is served otherwise than stored")
            try require(
                state.control.members.isEmpty || state.control.host != nil
                    || state.control.hostAbsentSince > 0, "a room without a host")
        }
    }
}
