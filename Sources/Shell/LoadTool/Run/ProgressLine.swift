import Glibc
import Synchronization

/// One line on standard error that says how far the run is, twice a second.
final class ProgressLine: Sendable {
    struct State: Sendable {
        var shownAt = Int64.min / 2
        var deliveries = 0
        var sent = 0
        var width = 0
    }

    private let isShown: Bool
    private let state = Mutex(State())

    init(isShown: Bool) {
        self.isShown = isShown
    }

    func show(_ text: @autoclosure () -> String) {
        guard isShown, take(MonotonicClock.now()) != nil else { return }
        write(text())
    }

    func showTraffic(sent: Int, deliveries: Int, now: Int64) {
        guard isShown, let seconds = take(now) else { return }
        let (newSent, newDeliveries) = state.withLock { state -> (Int, Int) in
            defer { (state.sent, state.deliveries) = (sent, deliveries) }
            return (sent - state.sent, deliveries - state.deliveries)
        }
        write(
            "\(Int(Double(newSent) / seconds)) messages/s,"
                + " \(Int(Double(newDeliveries) / seconds)) deliveries/s")
    }

    /// Takes the line away.
    func clear() {
        guard isShown, state.withLock({ $0.width > 0 }) else { return }
        write("")
        Self.print("\r")
    }

    /// - Returns: the seconds since the line was last shown; nil if that is not long ago.
    private func take(_ now: Int64) -> Double? {
        state.withLock { state in
            let passed = now - state.shownAt
            guard passed >= 500 * MonotonicClock.millisecond else { return nil }
            state.shownAt = now
            return min(1e6, Double(passed) / 1e9)
        }
    }

    private func write(_ text: String) {
        let padded = state.withLock { state in
            defer { state.width = text.count }
            return text + String(repeating: " ", count: max(0, state.width - text.count))
        }
        Self.print("\r" + padded)
    }

    private static func print(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
