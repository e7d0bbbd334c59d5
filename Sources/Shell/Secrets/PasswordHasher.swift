import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// Hashes and verifies passwords on threads of its own, a bounded number at a time. A password that
/// was right is known again without being derived (`ShownPasswords`).
///
/// Methods may be called from any thread; futures complete on a loop of the group.
package final class PasswordHasher: Sendable {
    package struct Limits: Sendable, Hashable {
        /// Threads that hash. Each takes the memory of one derivation, 32 MiB as a rule.
        package var threads = 2
        /// Operations that wait or run. Beyond: `SecretsError.busy`. With a tenth of a second
        /// each on two threads the last of them is answered within about three seconds.
        package var maxWaiting = 64
        /// Right passwords that are known again, 100 bytes each. Beyond: the oldest is forgotten,
        /// and costs a derivation when it is shown again.
        package var shownPasswords = 1_024

        package init() {}
    }

    package let limits: Limits
    private let parameters: ScryptParameters
    private let group: any EventLoopGroup
    private let pool: NIOThreadPool
    private let waiting = NIOLockedValueBox(0)
    private let shown: NIOLockedValueBox<ShownPasswords>
    /// Nil if the system gives no random bytes: then nothing is known again.
    private let key = try? RandomBytes.make(Digest.byteCount)

    /// Starts the threads; `stop` ends them.
    package init(
        group: any EventLoopGroup, parameters: ScryptParameters = .standard,
        limits: Limits = .init()
    ) {
        self.group = group
        self.parameters = parameters
        self.limits = limits
        shown = NIOLockedValueBox(ShownPasswords(limit: limits.shownPasswords))
        pool = NIOThreadPool(numberOfThreads: max(1, limits.threads))
        pool.start()
    }

    /// The stored form of a password. Fails with `SecretsError`.
    package func hash(_ password: String) -> EventLoopFuture<String> {
        run { [parameters] in try Scrypt.hash(password, parameters: parameters) }
            .always { [shown, key] result in
                guard let key, case .success(let hash) = result else { return }
                let code = ShownPasswords.code(of: password, hash, key: key)
                shown.withLockedValue { $0.remember(code) }
            }
    }

    /// Whether the password belongs to the stored form. Fails with `SecretsError`.
    package func verify(_ password: String, _ hash: String) -> EventLoopFuture<Bool> {
        let loop = group.next()
        guard let key else { return derive(password, hash) }
        let code = ShownPasswords.code(of: password, hash, key: key)
        switch shown.withLockedValue({ $0.ask(code, on: loop) }) {
        case .isRight: return loop.makeSucceededFuture(true)
        case .asked(let future): return future
        case .unknown(let promise):
            derive(password, hash).whenComplete { [shown] result in
                let isRight = (try? result.get()) ?? false
                shown.withLockedValue { $0.found(code, isRight: isRight) }
                promise.completeWith(result)
            }
            return promise.futureResult
        }
    }

    private func derive(_ password: String, _ hash: String) -> EventLoopFuture<Bool> {
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
