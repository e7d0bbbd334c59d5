import NIOCore

/// What servers have answered to a request.
package struct RelayAnswers<Value: Sendable>: Sendable {
    package var values: [Value]
    /// False where a server did not answer in time, or Redis was away: there may be more.
    package var isComplete: Bool

    package init(_ values: [Value], isComplete: Bool) {
        self.values = values
        self.isComplete = isComplete
    }
}

/// The requests of one namespace that wait for answers. Confined to the client's loop.
///
/// Invariant: each ends exactly once: complete, by its timer, or by `endAll`.
final class PendingRequests {
    struct Pending {
        /// Takes an answer; true when it was the last.
        let receive: (RelayResponse) -> Bool
        let end: (_ isComplete: Bool) -> Void
        let timer: Scheduled<Void>
    }

    private let limit: Int
    private var requests: [String: Pending] = [:]

    init(limit: Int) { self.limit = limit }

    var count: Int { requests.count }
    var isFull: Bool { requests.count >= limit }

    func add(_ id: String, _ pending: Pending) { requests[id] = pending }

    func received(_ response: RelayResponse) {
        guard let pending = requests[response.id], pending.receive(response) else { return }
        end(response.id, isComplete: true)
    }

    func end(_ id: String, isComplete: Bool) {
        guard let pending = requests.removeValue(forKey: id) else { return }
        pending.timer.cancel()
        pending.end(isComplete)
    }

    func endAll() {
        for id in Array(requests.keys) { end(id, isComplete: false) }
    }
}
