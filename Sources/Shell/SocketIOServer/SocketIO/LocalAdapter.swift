import NIOCore
import SocketIO
import Synchronization

/// The adapter of a single process: rooms are sharded by event loop, and a broadcast makes one
/// hop to each loop that has members.
///
/// Invariant: a shard changes on its own loop only; the directory, shared by all, knows for each
/// room the shards that have members, and is changed together with the shard.
public final class LocalAdapter: Adapter {
    private let shards: [RoomShard]
    private let shardByLoop: [ObjectIdentifier: Int]
    private let directory: Mutex<Directory>

    private struct Directory {
        var shardsByRoom: [String: Set<Int>] = [:]
        /// Two sockets have one id for the moment in which a client that is back takes the place
        /// of its broken connection; the later counts.
        var shardBySocket: [String: (shard: Int, socket: ObjectIdentifier)] = [:]
        var socketsByShard: [Int]

        mutating func clear(_ room: String, _ shard: Int) {
            shardsByRoom[room]?.remove(shard)
            if shardsByRoom[room]?.isEmpty == true { shardsByRoom[room] = nil }
        }
    }

    /// - Parameter loops: all loops on which sockets of the namespace may live.
    public init(loops: [any EventLoop]) {
        shards = loops.map { RoomShard(loop: $0) }
        shardByLoop = Dictionary(
            loops.enumerated().map { (ObjectIdentifier($1), $0) }, uniquingKeysWith: { a, _ in a })
        directory = Mutex(Directory(socketsByShard: Array(repeating: 0, count: loops.count)))
    }

    public var socketCount: Int { directory.withLock { $0.shardBySocket.count } }

    public func add(_ socket: Socket) {
        guard let index = shardIndex(of: socket) else { return }
        shards[index].add(socket)
        directory.withLock { directory in
            directory.shardBySocket[socket.id] = (index, ObjectIdentifier(socket))
            directory.socketsByShard[index] += 1
        }
    }

    public func remove(_ socket: Socket) {
        guard let index = shardIndex(of: socket) else { return }
        let emptied = shards[index].remove(socket)
        directory.withLock { directory in
            if directory.shardBySocket[socket.id]?.socket == ObjectIdentifier(socket) {
                directory.shardBySocket[socket.id] = nil
            }
            directory.socketsByShard[index] -= 1
            for room in emptied { directory.clear(room, index) }
        }
    }

    public func join(_ socket: Socket, room: String) {
        guard let index = shardIndex(of: socket) else { return }
        guard shards[index].join(socket, room) else { return }
        directory.withLock { _ = $0.shardsByRoom[room, default: []].insert(index) }
    }

    public func leave(_ socket: Socket, room: String) {
        guard let index = shardIndex(of: socket) else { return }
        guard shards[index].leave(socket, room) else { return }
        directory.withLock { $0.clear(room, index) }
    }

    public func rooms(of socket: Socket) -> Set<String> {
        shardIndex(of: socket).map { shards[$0].rooms(of: socket) } ?? []
    }

    public func broadcast(_ event: PreparedEvent, to target: BroadcastTarget) {
        forEachShard(of: target) { $0.broadcast(event, to: target) }
    }

    public func forEachSocket(
        in target: BroadcastTarget, _ body: @escaping @Sendable (Socket) -> Void
    ) {
        forEachShard(of: target) { $0.forEachSocket(in: target, body) }
    }

    /// On the shard's own loop: at once if that is the caller's.
    private func forEachShard(
        of target: BroadcastTarget, _ body: @escaping @Sendable (RoomShard) -> Void
    ) {
        for index in shardIndices(for: target) {
            let shard = shards[index]
            if shard.loop.inEventLoop {
                body(shard)
            } else {
                shard.loop.execute { body(shard) }
            }
        }
    }

    /// Rooms that have members, for tests of leaks.
    var roomCount: Int { directory.withLock { $0.shardsByRoom.count } }

    private func shardIndex(of socket: Socket) -> Int? {
        shardByLoop[ObjectIdentifier(socket.eventLoop)]
    }

    private func shardIndices(for target: BroadcastTarget) -> [Int] {
        directory.withLock { directory in
            guard let rooms = target.rooms else {
                return directory.socketsByShard.indices.filter { directory.socketsByShard[$0] > 0 }
            }
            var indices: Set<Int> = []
            for room in rooms {
                if let shards = directory.shardsByRoom[room] { indices.formUnion(shards) }
                if let entry = directory.shardBySocket[room] { indices.insert(entry.shard) }
            }
            return indices.sorted()
        }
    }
}
