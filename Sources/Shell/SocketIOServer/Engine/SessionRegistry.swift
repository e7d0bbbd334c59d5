import NIOConcurrencyHelpers

/// All open sessions by id. From any thread.
final class SessionRegistry: Sendable {
    private let state = NIOLockedValueBox<[String: ServerSession]>([:])

    subscript(sid: String) -> ServerSession? {
        state.withLockedValue { $0[sid] }
    }

    var sessions: [ServerSession] {
        state.withLockedValue { Array($0.values) }
    }

    var isEmpty: Bool {
        state.withLockedValue(\.isEmpty)
    }

    func insert(_ session: ServerSession) {
        state.withLockedValue { $0[session.id] = session }
    }

    /// Whether it was there.
    func remove(_ session: ServerSession) -> Bool {
        state.withLockedValue { $0.removeValue(forKey: session.id) != nil }
    }
}
