import NIOConcurrencyHelpers

/// What each client address has open and how fast it comes, for the limits of an address. From any
/// thread.
///
/// An address is an IPv4 address, or the first 64 bits of an IPv6 address: the rest of it is the
/// client's to choose. Addresses of trusted proxies are not limited: they are the operator's own,
/// and where a proxy does not say who the client is, all clients have one of them.
final class AddressBook: Sendable {
    enum Refusal: Sendable, Hashable {
        /// It has its full number open.
        case tooMany
        /// It comes too fast.
        case tooFast
    }

    private struct Entry: Sendable {
        var connections = 0
        var sessions = 0
        var handshakes = Pace()
        var requests = Pace()

        func isIdle(at now: Int64) -> Bool {
            connections == 0 && sessions == 0 && handshakes.isRested(at: now)
                && requests.isRested(at: now)
        }
    }

    private struct State: Sendable {
        var entries: [String: Entry] = [:]
        var lastSweep: Int64 = .min

        /// Forgets addresses that have nothing open and have not come for a while, at most once a
        /// second: what is left is bounded by the connections and by the pace of the limits.
        mutating func sweep(beyond capacity: Int, at now: Int64) {
            guard entries.count > capacity, now > lastSweep.saturatingAdd(1_000_000) else { return }
            lastSweep = now
            entries = entries.filter { !$1.isIdle(at: now) }
        }
    }

    private let limits: ServerOptions.Limits
    private let state = NIOLockedValueBox(State())

    init(limits: ServerOptions.Limits) {
        self.limits = limits
    }

    /// Addresses that are remembered at the moment.
    var count: Int { state.withLockedValue { $0.entries.count } }

    // MARK: Connections

    /// Counts one more TCP connection of a peer; false where it has its full number.
    func connectionOpened(_ address: String) -> Bool {
        change(address) { entry in
            guard entry.connections < limits.maxConnectionsPerAddress else { return false }
            entry.connections += 1
            return true
        }
    }

    func connectionClosed(_ address: String) {
        change(address) { $0.connections = max(0, $0.connections - 1) }
    }

    // MARK: Sessions

    /// Counts one more session of the address, unless it is refused.
    ///
    /// - Parameter now: microseconds of a steady clock.
    func sessionOpened(_ address: String, at now: Int64) -> Refusal? {
        change(address, at: now) { entry in
            guard entry.sessions < limits.maxSessionsPerAddress else { return .tooMany }
            let isInTime = entry.handshakes.take(
                at: now, perSecond: limits.sessionsPerSecondPerAddress,
                burst: limits.sessionBurstPerAddress)
            guard isInTime else { return .tooFast }
            entry.sessions += 1
            return nil
        }
    }

    func sessionClosed(_ address: String) {
        change(address) { $0.sessions = max(0, $0.sessions - 1) }
    }

    // MARK: Plain requests

    /// Whether one more plain request of the address is answered.
    func requestArrived(_ address: String, at now: Int64) -> Bool {
        change(address, at: now) { entry in
            entry.requests.take(
                at: now, perSecond: limits.requestsPerSecondPerAddress,
                burst: limits.requestBurstPerAddress)
        }
    }

    // MARK: Entries

    private func change<Result>(
        _ address: String, at now: Int64? = nil, _ body: (inout Entry) -> Result
    ) -> Result {
        let key = Self.key(of: address)
        return state.withLockedValue { state in
            var entry = state.entries[key] ?? Entry()
            let result = body(&entry)
            state.entries[key] = entry.isIdle(at: now ?? .min) ? nil : entry
            if let now { state.sweep(beyond: limits.rememberedAddresses, at: now) }
            return result
        }
    }

    /// IPv6 addresses by their first 64 bits, all others as they are.
    static func key(of address: String) -> String {
        guard address.contains(":"), let bytes = AddressRange.bytes(of: address) else {
            return address
        }
        guard bytes.count == 16 else { return bytes.map(String.init).joined(separator: ".") }
        return bytes.prefix(8).map { String($0, radix: 16) }.joined(separator: ":") + "/64"
    }
}

/// A steady rate with a burst, kept as one number (the generic cell rate algorithm of ITU-T I.371).
struct Pace: Sendable, Hashable {
    /// When the last event that was let through would have been due at the steady rate.
    private var due: Int64 = .min

    /// Whether an event may pass now; counts it if so.
    ///
    /// - Parameter now: microseconds of a steady clock.
    mutating func take(at now: Int64, perSecond rate: Int, burst: Int) -> Bool {
        let interval = 1_000_000 / Int64(max(1, rate))
        let allowance = interval.multipliedReportingOverflow(by: Int64(max(1, burst) - 1))
        let start = max(due, now)
        guard allowance.overflow || start - now <= allowance.partialValue else { return false }
        due = start.saturatingAdd(max(1, interval))
        return true
    }

    /// Whether it has its whole burst again.
    func isRested(at now: Int64) -> Bool { due <= now }
}

extension Int64 {
    fileprivate func saturatingAdd(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
