import Cluster
import Foundation
import JSON
import Logging
import NIOCore
import NIOPosix
import RoomStore
import Rooms
import Secrets
import Synchronization
import TestKit
import Testing

@testable import RoomService
@testable import SocketIOServer

/// One instance in a test's hands: its loops, its time, its store, its clients.
final class World {
    static let wall: Int64 = 1_800_000_000_000
    /// Shared, so that its threads need no end.
    private static let hasher = PasswordHasher(
        group: MultiThreadedEventLoopGroup.singleton,
        parameters: ScryptParameters(logCost: 4, blockSize: 8, parallelism: 1) ?? .standard)

    let time: ManualTime
    let loops: [ManualLoop]
    let store: ScriptedStore
    let leases: ScriptedLeases?
    let cluster: ClusterService
    let service: RoomService
    let identity: InstanceIdentity
    private let namespaces: NamespaceTable
    private let settled: Flag
    let mirror: MirrorRecord
    private var clients: [TestClient] = []
    private let ownsLoops: Bool

    final class Flag: Sendable {
        private let box = Mutex(true)
        var value: Bool {
            get { box.withLock { $0 } }
            set { box.withLock { $0 = newValue } }
        }
    }

    init(
        loops count: Int = 1, hasLeases: Bool = false, mirrors: Bool = false,
        options: RoomServiceOptions = .init(),
        probe: ClusterService.Probe? = nil, besides first: World? = nil
    ) throws {
        let time = first?.time ?? ManualTime()
        self.time = time
        ownsLoops = first == nil
        loops = first?.loops ?? (0..<count).map { _ in ManualLoop(time) }
        store = ScriptedStore(loop: loops[0], besides: first?.store)
        leases = hasLeases ? ScriptedLeases(loop: loops[0]) : nil
        let nodes = try ClusterNodes(
            parsing: "server-1=127.0.0.1:3001=http://one,server-2=127.0.0.1:3002=http://two")
        identity = InstanceIdentity(instanceID: first == nil ? "server-1" : "server-2")
        let loop = loops[0]
        cluster = ClusterService(
            own: nodes.nodes[first == nil ? 0 : 1], nodes: nodes, leaseStore: leases,
            options: MembershipOptions(),
            clock: SharedClock(wallMilliseconds: Self.wall) { time.now }, identity: identity,
            eventLoop: loop, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            probe: probe ?? { _ in loop.makeSucceededFuture(.silent) })
        namespaces = NamespaceTable(loops: loops, limits: SocketLimits()) { _, loops, _ in
            LocalAdapter(loops: loops)
        }
        let settled = Flag()
        self.settled = settled
        let mirror = MirrorRecord()
        self.mirror = mirror
        let told: Mirror = { event, target in mirror.add(event, target) }
        service = RoomService(
            options: options, store: store, namespace: namespaces.obtain("/"), cluster: cluster,
            hasher: Self.hasher, metrics: RoomMetrics(), eventLoops: loops,
            isStoreSettled: { settled.value },
            mirror: mirrors ? told : nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        service.start()
    }

    deinit {
        service.stop()
        loops[0].perform { store.close() }
        if ownsLoops { for loop in loops { loop.shutDown() } }
        #expect(store.violations == [])
    }

    var isStoreSettled: Bool {
        get { settled.value }
        set { settled.value = newValue }
    }

    // MARK: Time

    /// Runs all loops until nothing is left to do now.
    func run() {
        while loops.map({ $0.run() }).contains(true) {}
    }

    /// Moves time on, task by task.
    func advance(_ duration: Duration) {
        run()
        let end = time.now + duration
        while let next = loops.compactMap(\.nextDeadline).min(), next <= end {
            time.now = max(time.now, next)
            run()
        }
        time.now = end
        run()
    }

    /// Runs until what other threads do (hashing) has come to `condition`.
    func run(until condition: () -> Bool) {
        let limit = Date().addingTimeInterval(30)
        run()
        while !condition(), Date() < limit {
            sched_yield()
            run()
        }
        #expect(condition())
    }

    // MARK: Clients

    /// - Parameters:
    ///   - recovers: The client takes part in connection state recovery.
    ///   - earlier: What the client was before its connection broke.
    ///   - auth: Sent in the place of what a stock client sends.
    func connect(
        loop index: Int = 0, cookie: String? = nil, address: String = "10.0.0.1",
        recovers: Bool = false, after earlier: TestClient? = nil, auth: String? = nil
    ) -> TestClient {
        let client = beginConnecting(
            loop: index, cookie: cookie, address: address, recovers: recovers, after: earlier,
            auth: auth)
        run()
        client.readConnected()
        return client
    }

    /// As `connect`; the server has not looked at it further than its loop's present turn.
    func beginConnecting(
        loop index: Int = 0, cookie: String? = nil, address: String = "10.0.0.1",
        recovers: Bool = false, after earlier: TestClient? = nil, auth: String? = nil
    ) -> TestClient {
        let loop = loops[index]
        let query = recovers || earlier != nil ? [(name: "recovery", value: "1")] : []
        let session = TestSession(loop, address: address, cookie: cookie, query: query)
        let client = TestClient(session, on: loop, after: earlier)
        loop.perform {
            _ = SocketIOConnection(
                session, namespaces: namespaces,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
        client.send("0" + (auth ?? earlier.map(Self.auth) ?? ""))
        clients.append(client)
        return client
    }

    /// What a stock client that comes back sends with CONNECT.
    private static func auth(of client: TestClient) -> String {
        guard let pid = client.pid else { return "" }
        let offset = client.offset.map { #","offset":"\#($0)""# } ?? ""
        return #"{"pid":"\#(pid)"\#(offset)}"#
    }

    /// A client that has made a room; what it was sent is read.
    func host(
        _ room: String = "room", editor: String? = nil, loop: Int = 0, cookie: String? = nil,
        name: String = "Hanna", recovers: Bool = false
    ) throws -> TestClient {
        let client = connect(loop: loop, cookie: cookie, recovers: recovers)
        client.emit(
            "create-room",
            #"{"roomId":"\#(room)","userName":"\#(name)","editor":\#(editor ?? "null")}"#)
        run()
        try #require(client.next("room-created") != nil)
        client.skip()
        return client
    }

    /// A client that has joined a room a millisecond later; what it was sent is read.
    func guest(
        _ room: String = "room", loop: Int = 0, cookie: String? = nil, name: String = "Gast",
        recovers: Bool = false
    ) throws -> TestClient {
        advance(.milliseconds(1))
        let client = connect(loop: loop, cookie: cookie, recovers: recovers)
        client.emit("join-room", #"{"roomId":"\#(room)","userName":"\#(name)"}"#)
        run()
        try #require(client.next("joined-room") != nil)
        client.skip()
        return client
    }

    // MARK: Rooms

    /// The room as served here.
    func live(_ room: String = "room") -> LiveRoom? {
        let shard = service.registry.shard(for: room)
        return loops.first { $0 === shard.eventLoop }?.perform { shard.liveRoom(room) }
    }

    func loop(of room: String = "room") -> ManualLoop {
        let shard = service.registry.shard(for: room)
        return loops.first { $0 === shard.eventLoop } ?? loops[0]
    }

    /// Does something to a live room on its loop, then runs all.
    func onRoom(_ room: String = "room", _ body: (LiveRoom) -> Void) throws {
        let served = try #require(self.live(room))
        loop(of: room).perform { body(served) }
        run()
    }

    /// The room as it is stored.
    func stored(_ room: String = "room") throws -> RoomState? {
        let future = store.base.load(room)
        run()
        return try loops[0].perform {
            var result: StoredRoom??
            let box = NIOLoopBoundBox<StoredRoom?>(nil, eventLoop: loops[0])
            future.whenSuccess { box.value = $0 }
            loops[0].run()
            result = box.value
            return try result.flatMap { $0 }.map { try RoomState(stored: $0, id: room) }
        }
    }

    // MARK: Another instance

    private(set) lazy var other = MemoryRoomStore(sharing: store.base)
    static let otherIncarnation = "server-2#00000000000000aa"

    /// Commits as another instance does: unconditionally, on the stored head.
    func commitElsewhere(
        _ changes: [RoomEntry.Change], to room: String = "room",
        origin: String = World.otherIncarnation
    ) throws {
        let state = try #require(try stored(room))
        elsewhere += 1
        var control = state.control
        let entries = changes.enumerated().map {
            RoomEntry(id: "other-\(elsewhere).\($0)", change: $1)
        }
        for entry in entries {
            control.fold(
                VersionedEntry(
                    version: control.version + 1, previous: control.version, entry: entry))
        }
        let batch = CommitBatch(
            room: room, epoch: state.control.epoch, origin: origin, entries: entries,
            proposed: 0, expected: state.version, conditional: true,
            summary: RoomSummary(control))
        _ = other.commit(batch)
        run()
    }

    private var elsewhere = 0

    /// Somebody joins on another instance.
    func joinElsewhere(
        _ id: String, room: String = "room", holder: String = World.otherIncarnation,
        credential: String = ""
    ) throws {
        let member = Member(
            id: id, name: id, credential: credential, holder: holder,
            joinedAt: Self.wall + Int64(elsewhere))
        try commitElsewhere([.joined(member, replacing: nil, takesHost: false)], to: room)
    }

    /// An object is added or changed on another instance.
    func editElsewhere(_ uuid: String, by author: String, room: String = "room") throws {
        try commitElsewhere([.edited(try Scenes.edit(uuid), by: author)], to: room)
    }
}

/// Scenes as clients send them.
enum Scenes {
    /// `create-room`'s and `sync-full-editor`'s scene with these objects.
    static func editor(_ objects: String..., padding: Int = 0) -> String {
        let children = objects.map { #"{"uuid":"\#($0)","type":"Mesh","name":"\#($0)"}"# }
        let filler = String(repeating: "x", count: padding)
        return """
            {"metadata":{},"project":{},"camera":{"metadata":{},"object":{"uuid":"cam",\
            "type":"PerspectiveCamera"}},"scene":{"metadata":{},"object":{"uuid":"root",\
            "type":"Scene","name":"\(filler)","children":[\(children.joined(separator: ","))]}},\
            "scripts":{},"history":{"undos":[],"redos":[]},"environment":null}
            """
    }

    static func edit(_ uuid: String, changeType: String = "object-added") throws -> SceneEdit {
        let data = try JSONText(text: #"{"object":{"uuid":"\#(uuid)","type":"Mesh"}}"#)
        return .objectUpdate(uuid: uuid, data: data, changeType: changeType)
    }

    /// The payload of `sync-editor-object-update`.
    static func update(
        _ uuid: String, room: String = "room", changeType: String = "object-added",
        name: String = ""
    ) -> String {
        #"{"roomId":"\#(room)","objectUuid":"\#(uuid)","changeType":"\#(changeType)","#
            + #""objectData":{"object":{"uuid":"\#(uuid)","type":"Mesh","name":"\#(name)"}}}"#
    }

    static func upload(_ editor: String, room: String = "room") -> String {
        #"{"roomId":"\#(room)","editorData":\#(editor)}"#
    }

    /// The uuids of the objects in a full scene that a client received.
    static func objects(_ fullEditor: JSONText?) -> [String] {
        fullEditor?["editorData"]?["scene"]?["object"]?["children"]?.elements
            .compactMap { $0["uuid"]?.string } ?? []
    }
}
