import Synchronization

/// The rooms that have members in this process, ids of sockets included; from any thread. It tells
/// which messages of others need not be decoded.
final class LocalRooms: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    var names: [String] { counts.withLock { Array($0.keys) } }

    func contains(_ room: String) -> Bool { counts.withLock { $0[room] != nil } }

    func added(to room: String) {
        counts.withLock { $0[room, default: 0] += 1 }
    }

    func removed(from rooms: some Sequence<String>) {
        counts.withLock { counts in
            for room in rooms {
                guard let count = counts[room] else { continue }
                counts[room] = count > 1 ? count - 1 : nil
            }
        }
    }
}
