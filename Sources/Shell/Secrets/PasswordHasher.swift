import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Hashes and verifies passwords on threads of its own, a bounded number at a time.
///
/// Methods may be called from any thread; futures complete on a loop of the group.
package final class PasswordHasher: Sendable {
    package struct Limits: Sendable, Hashable {
        /// Threads that hash. Each takes the memory of one derivation, 32 MiB as a rule.
        package var threads = 2
        /// Operations that wait or run. Beyond: `SecretsError.busy`. With a tenth of a second
        /// each on two threads the last of them is answered within about three seconds.
        package var maxWaiting = 64

        package init() {}
    }

    package let limits: Limits
    private let parameters: ScryptParameters
    private let group: any EventLoopGroup
    private let pool: NIOThreadPool
    private let waiting = NIOLockedValueBox(0)

    /// Starts the threads; `stop` ends them.
    package init(
        group: any EventLoopGroup, parameters: ScryptParameters = .standard,
        limits: Limits = .init()
    ) {
        self.group = group
        self.parameters = parameters
        self.limits = limits
        pool = NIOThreadPool(numberOfThreads: max(1, limits.threads))
        pool.start()
    }

    /// The stored form of a password. Fails with `SecretsError`.
    package func hash(_ password: String) -> EventLoopFuture<String> {
        run { [parameters] in try Scrypt.hash(password, parameters: parameters) }
    }

    /// Whether the password belongs to the stored form. Fails with `SecretsError`.
    package func verify(_ password: String, _ hash: String) -> EventLoopFuture<Bool> {
        run { try Scrypt.verify(password, against: hash) }
    }

    /// Operations that wait or run at present.
    package var waitingCount: Int { waiting.withLockedValue { $0 } }

    /// Ends the threads after what they are at; what waits fails with `.stopped`.
    package func stop() async {
        try? await pool.shutdownGracefully()
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) -> EventLoopFuture<Value> {
        let loop = group.next()
        let isAdmitted = waiting.withLockedValue { count in
            guard count < limits.maxWaiting else { return false }
            count += 1
            return true
        }
        guard isAdmitted else { return loop.makeFailedFuture(SecretsError.busy) }
        return pool.runIfActive(eventLoop: loop, body)
            .always { [waiting] _ in waiting.withLockedValue { $0 -= 1 } }
            .flatMapErrorThrowing { throw $0 as? SecretsError ?? SecretsError.stopped }
    }
}
