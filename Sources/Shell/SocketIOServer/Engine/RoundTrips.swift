/// The pings of one session: whose answer tells that what was sent before has been received.
///
/// Invariant: a client answers pings in the order in which they were sent, each once; so the n-th
/// pong answers the n-th ping. A client that sends more pongs than it was sent pings gains nothing.
struct RoundTrips {
    private var pings: UInt64 = 0
    private var pongs: UInt64 = 0
    /// What waits for the answer to a ping, by its number, in order.
    private var waiting: [(ping: UInt64, body: () -> Void)] = []

    mutating func pinged() { pings &+= 1 }

    /// `body` is given back at the answer to the last ping.
    mutating func afterAnswer(_ body: @escaping () -> Void) {
        waiting.append((pings, body))
    }

    /// A pong came. Gives what waited for it.
    mutating func answered() -> [() -> Void] {
        guard pongs < pings else { return [] }
        pongs += 1
        let reached = waiting.prefix { $0.ping <= pongs }.map(\.body)
        if !reached.isEmpty { waiting.removeFirst(reached.count) }
        return reached
    }
}
