import NIOConcurrencyHelpers

/// All open sessions by id, and how many each client address has. From any thread.
final class SessionRegistry: Sendable {
    private struct State {
        var sessions: [String: ServerSession] = [:]
        var countByAddress: [String: Int] = [:]

        mutating func release(_ address: String) {
            guard let count = countByAddress[address] else { return }
            countByAddress[address] = count > 1 ? count - 1 : nil
        }
    }

    private let state = NIOLockedValueBox(State())
    private let maxPerAddress: Int

    init(maxPerAddress: Int) {
        self.maxPerAddress = maxPerAddress
    }

    subscript(sid: String) -> ServerSession? {
        state.withLockedValue { $0.sessions[sid] }
    }

    var sessions: [ServerSession] {
        state.withLockedValue { Array($0.sessions.values) }
    }

    var isEmpty: Bool {
        state.withLockedValue { $0.sessions.isEmpty }
    }

    /// Counts one more session of the address; false where it has its full number.
    func reserve(_ address: String) -> Bool {
        state.withLockedValue { state in
            let count = state.countByAddress[address, default: 0]
            guard count < maxPerAddress else { return false }
            state.countByAddress[address] = count + 1
            return true
        }
    }

    /// Takes back a `reserve` that came to nothing.
    func release(_ address: String) {
        state.withLockedValue { $0.release(address) }
    }

    func insert(_ session: ServerSession) {
        state.withLockedValue { $0.sessions[session.id] = session }
    }

    func remove(_ session: ServerSession) {
        state.withLockedValue { state in
            guard state.sessions.removeValue(forKey: session.id) != nil else { return }
            state.release(session.request.remoteAddress)
        }
    }
}
