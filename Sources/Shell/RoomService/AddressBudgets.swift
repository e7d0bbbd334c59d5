import NIOConcurrencyHelpers

/// How many events the sockets of one client address may still send, all together. From any
/// thread.
final class AddressBudget: Sendable {
    fileprivate let address: String
    private let bucket: NIOLockedValueBox<TokenBucket>

    fileprivate init(address: String, bucket: TokenBucket) {
        self.address = address
        self.bucket = NIOLockedValueBox(bucket)
    }

    func take(at now: Int64) -> Bool { bucket.withLockedValue { $0.take(at: now) } }
}

/// The budgets of the addresses that have a socket here; forgotten with the last one.
final class AddressBudgets: Sendable {
    private struct Shared: Sendable {
        let budget: AddressBudget
        var sockets = 0
    }

    private let limits: ServiceLimits
    private let shared = NIOLockedValueBox<[String: Shared]>([:])

    init(limits: ServiceLimits) {
        self.limits = limits
    }

    /// Addresses that are remembered at the moment.
    var count: Int { shared.withLockedValue(\.count) }

    /// To be given back by `release`.
    func obtain(_ address: String, at now: Int64) -> AddressBudget {
        shared.withLockedValue { shared in
            var entry =
                shared[address]
                ?? Shared(
                    budget: AddressBudget(
                        address: address,
                        bucket: TokenBucket(
                            rate: limits.eventsPerSecondPerAddress,
                            burst: limits.eventBurstPerAddress, now: now)))
            entry.sockets += 1
            shared[address] = entry
            return entry.budget
        }
    }

    func release(_ budget: AddressBudget) {
        shared.withLockedValue { shared in
            guard var entry = shared[budget.address] else { return }
            entry.sockets -= 1
            shared[budget.address] = entry.sockets > 0 ? entry : nil
        }
    }
}
