/// When each message of an open loop is to be sent, whatever became of the ones before: each
/// sender at the same rate, the senders spread evenly over the interval.
///
/// Latency counts from these times, so a server that stalls is charged for all that it delayed
/// (no coordinated omission).
struct OpenLoopSchedule: Sendable, Hashable {
    let start: Int64
    let senders: Int
    /// Nanoseconds between two messages of one sender.
    let interval: Int64

    /// - Parameter rate: messages of one sender in a second, above 0.
    init(start: Int64, senders: Int, rate: Double) {
        self.start = start
        self.senders = max(1, senders)
        interval = Int64(max(1, 1e9 / rate))
    }

    /// Of the message with this number among all: sender `index % senders` sends it.
    func time(of index: Int) -> Int64 {
        let (round, place) = index.quotientAndRemainder(dividingBy: senders)
        let full = Int64(place).multipliedFullWidth(by: interval)
        let offset = Int64(senders).dividingFullWidth(full).quotient
        return start + Int64(round) * interval + offset
    }

    func sender(of index: Int) -> Int { index % senders }
}
