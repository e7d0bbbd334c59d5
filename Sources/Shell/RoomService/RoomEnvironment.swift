import Cluster
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RoomStore
import Rooms
import SocketIOServer

/// Takes a broadcast for the servers of other kinds in the same cluster.
package typealias Mirror = @Sendable (PreparedEvent, BroadcastTarget) -> Void

/// What every live room and every session works with.
final class RoomEnvironment: Sendable {
    let store: any RoomStore
    let namespace: Namespace
    let clock: SharedClock
    let identity: InstanceIdentity
    let options: RoomServiceOptions
    let messages: Messages
    let metrics: RoomMetrics
    let logger: Logger
    /// Called when the store says that this incarnation was declared dead.
    let onFenced: @Sendable (_ incarnation: String) -> Void
    /// Whether the store's answer "no such room" can be believed: not while rooms are being
    /// restored after an outage.
    let isStoreSettled: @Sendable () -> Bool
    /// Tells servers of other kinds of a room's broadcast; nil where there are none. Called by one
    /// instance of the cluster for each broadcast that follows from an entry. From any thread.
    let mirror: Mirror?
    /// Hears what live rooms fold; nil but in a simulation.
    let witness: RoomWitness?
    private let draining = NIOLockedValueBox(false)
    private let operations = NIOLockedValueBox<UInt64>(0)

    init(
        store: any RoomStore, namespace: Namespace, clock: SharedClock,
        identity: InstanceIdentity, options: RoomServiceOptions, metrics: RoomMetrics,
        logger: Logger, isStoreSettled: @escaping @Sendable () -> Bool, mirror: Mirror?,
        witness: RoomWitness? = nil,
        onFenced: @escaping @Sendable (String) -> Void
    ) {
        self.store = store
        self.namespace = namespace
        self.clock = clock
        self.identity = identity
        self.options = options
        messages = Messages(language: options.language)
        self.metrics = metrics
        self.logger = logger
        self.isStoreSettled = isStoreSettled
        self.mirror = mirror
        self.witness = witness
        self.onFenced = onFenced
    }

    /// This instance is on its way out.
    var isDraining: Bool {
        get { draining.withLockedValue { $0 } }
        set { draining.withLockedValue { $0 = newValue } }
    }

    /// Does work whose time grows with these bytes: at once where they are few, else off the loops.
    /// Does not fail.
    func heavy<Value: Sendable>(
        _ byteCount: Int, answerOn loop: any EventLoop,
        _ work: @escaping @Sendable () -> Value
    ) -> EventLoopFuture<Value> {
        guard byteCount >= options.limits.heavyBytes else {
            return loop.makeSucceededFuture(work())
        }
        return NIOThreadPool.singleton.runIfActive(eventLoop: loop, work)
    }

    /// An id for an operation, unique over all instances and restarts.
    func makeOperationID() -> String {
        let count = operations.withLockedValue { value in
            value += 1
            return value
        }
        return "\(identity.incarnation)-\(String(count, radix: 36))"
    }
}

/// Who this process is at the moment. A fenced process goes on as a new incarnation.
package final class InstanceIdentity: Sendable {
    package let instanceID: String
    private let current: NIOLockedValueBox<Current>

    private struct Current: Sendable {
        let value: Incarnation
        /// Made once: it is asked for with every member and every commit.
        let text: String

        init(_ value: Incarnation) {
            self.value = value
            text = value.description
        }
    }

    private let makeNonce: @Sendable () -> UInt64

    /// - Parameter makeNonce: numbers that no other incarnation has.
    package init(
        instanceID: String,
        makeNonce: @escaping @Sendable () -> UInt64 = { .random(in: .min ... .max) }
    ) {
        self.instanceID = instanceID
        self.makeNonce = makeNonce
        current = NIOLockedValueBox(
            Current(Incarnation(instanceID: instanceID, nonce: makeNonce())))
    }

    package var value: Incarnation { current.withLockedValue { $0.value } }

    /// `value` as it is stored and compared: `server-1#9f86d081884c7d65`.
    package var incarnation: String { current.withLockedValue { $0.text } }

    /// Takes a new incarnation, unless that has happened since `old`.
    package func renew(after old: String) -> Bool {
        current.withLockedValue { current in
            guard current.text == old else { return false }
            current = Current(Incarnation(instanceID: instanceID, nonce: makeNonce()))
            return true
        }
    }
}
