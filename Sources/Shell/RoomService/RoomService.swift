import JSON
import Logging
import NIOConcurrencyHelpers
import NIOCore
import RoomStore
import Rooms
import Secrets
import SocketIOServer

/// The event contract of the collaborative editor on top of a Socket.IO namespace.
package final class RoomService: Sendable {
    package struct Counts: Sendable, Hashable {
        /// Connected clients of this instance.
        package var users: Int
        /// Rooms that this instance serves at the moment.
        package var rooms: Int
        /// Clients of this instance that are in a room.
        package var members: Int
        /// Those of them that read too slowly at the moment.
        package var lagging = 0
        /// Bytes of events held back for busy and slow members.
        package var heldBytes = 0
    }

    let environment: RoomEnvironment
    let registry: RoomRegistry
    let directory: RoomDirectory
    let cluster: ClusterService
    let addressBudgets: AddressBudgets
    let recovery: RoomRecovery
    private let hasher: PasswordHasher
    private let ledgers: NIOLockedValueBox<Ledgers>
    private let sessions = NIOLockedValueBox<[String: MemberSession]>([:])
    private let janitor: Janitor

    private struct Ledgers: Sendable {
        var creations: AddressLedger
        var passwords: AddressLedger
    }

    package init(
        options: RoomServiceOptions, store: any RoomStore, namespace: Namespace,
        cluster: ClusterService, hasher: PasswordHasher, metrics: RoomMetrics,
        eventLoops: [any EventLoop], isStoreSettled: @escaping @Sendable () -> Bool,
        mirror: Mirror? = nil, witness: RoomWitness? = nil, logger: Logger
    ) {
        let fencedBox = NIOLockedValueBox<(@Sendable (String) -> Void)?>(nil)
        environment = RoomEnvironment(
            store: store, namespace: namespace, clock: cluster.clock, identity: cluster.identity,
            options: options, metrics: metrics, logger: logger, isStoreSettled: isStoreSettled,
            mirror: mirror, witness: witness,
            onFenced: { incarnation in fencedBox.withLockedValue { $0 }?(incarnation) })
        self.cluster = cluster
        self.hasher = hasher
        registry = RoomRegistry(loops: eventLoops, environment: environment)
        recovery = RoomRecovery(environment: environment, registry: registry)
        directory = RoomDirectory(
            environment: environment, cluster: cluster, eventLoop: eventLoops[0])
        let limits = options.limits
        addressBudgets = AddressBudgets(limits: limits)
        ledgers = NIOLockedValueBox(
            Ledgers(
                creations: AddressLedger(
                    limitPerMinute: limits.roomsCreatedPerMinute,
                    capacity: limits.rememberedAddresses),
                passwords: AddressLedger(
                    limitPerMinute: limits.wrongPasswordsPerMinute,
                    capacity: limits.rememberedAddresses)))
        janitor = Janitor(
            environment: environment, registry: registry, directory: directory, cluster: cluster,
            eventLoop: eventLoops[0])
        fencedBox.withLockedValue { $0 = { [weak self] in self?.fenced($0) } }
    }

    package var instanceID: String { environment.identity.instanceID }

    /// Takes the namespace's clients from now on, and starts the housekeeping.
    package func start() {
        environment.namespace.use { [cluster, environment] socket in
            guard let error = cluster.redirect(socket.handshake) else { return nil }
            environment.metrics.count(\.redirects)
            return socket.eventLoop.makeFailedFuture(error)
        }
        environment.namespace.onConnection { [weak self] socket in
            guard let self else { return }
            let session = MemberSession(socket: socket, service: self)
            self.sessions.withLockedValue { $0[socket.id] = session }
            socket.delegate = session
            if let ticket = socket.lost?.context as? ReturnTicket { session.comeBack(by: ticket) }
        }
        environment.namespace.recover(by: recovery)
        cluster.onFenced { [weak self] in self?.fenced($0) }
        cluster.onGone { [weak self] in self?.janitor.sweep($0) }
        janitor.start()
    }

    /// Ends the housekeeping.
    package func stop() {
        janitor.stop()
    }

    /// Waits until no room here has anything left to commit, or the time is over.
    package func settle(within limit: Duration) async {
        let end = ContinuousClock.now + limit
        while ContinuousClock.now < end {
            let pending = await pendingOperations()
            if pending == 0 { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }

    private func pendingOperations() async -> Int {
        let counts = registry.shards.map { shard in
            shard.eventLoop.submit { shard.liveRooms.filter { !$0.isSettled }.count }
        }
        let all = EventLoopFuture.whenAllSucceed(counts, on: registry.shards[0].eventLoop)
        return ((try? await all.get()) ?? []).reduce(0, +)
    }

    /// Tells the clients of this instance, and only those, that it goes.
    package func announceShutdown() {
        environment.isDraining = true
        let payload: JSONValue = [
            "message": .string(environment.messages.shutdown),
            "timestamp": .int(environment.clock.nowMilliseconds),
        ]
        environment.namespace.emit(ServerEvent.serverShutdown, payload)
    }

    package var counts: Counts {
        let population = environment.metrics.population
        return Counts(
            users: sessions.withLockedValue(\.count), rooms: population.rooms,
            members: population.members, lagging: population.lagging,
            heldBytes: population.heldBytes)
    }

    package var roomMetrics: RoomMetrics.Counts { environment.metrics.counts }

    /// All rooms, of all instances.
    package func roomItems() -> EventLoopFuture<[RoomItem]> { directory.roomItems() }

    /// The control state of a room; nil if there is no such room.
    package func control(of id: String) -> EventLoopFuture<RoomControl?> {
        registry.room(id).map { $0?.control }
    }

    // MARK: For sessions

    func sessionClosed(_ session: MemberSession) {
        sessions.withLockedValue { sessions in
            // Its client may be back already, under the same id.
            guard sessions[session.socket.id] === session else { return }
            sessions[session.socket.id] = nil
        }
    }

    /// Whether the address may create another room; counts it. Nil, a trusted address, may.
    func takeCreation(from address: String?) -> Bool {
        guard let address else { return true }
        let now = environment.clock.elapsedMilliseconds
        return ledgers.withLockedValue { ledgers in
            guard !ledgers.creations.isExhausted(address, at: now) else { return false }
            ledgers.creations.count(address, at: now)
            return true
        }
    }

    func mayTryPassword(from address: String) -> Bool {
        let now = environment.clock.elapsedMilliseconds
        return ledgers.withLockedValue { !$0.passwords.isExhausted(address, at: now) }
    }

    func countWrongPassword(from address: String) {
        let now = environment.clock.elapsedMilliseconds
        ledgers.withLockedValue { $0.passwords.count(address, at: now) }
    }

    /// The stored form of a password; nil for none. Fails with `ServiceBusy`.
    func hash(_ password: String?) -> EventLoopFuture<String?> {
        guard let password else {
            return registry.shards[0].eventLoop.makeSucceededFuture(nil)
        }
        return hasher.hash(password).map { $0 }.flatMapErrorThrowing { _ in throw ServiceBusy() }
    }

    func verify(_ password: String, against hash: String) -> EventLoopFuture<Bool> {
        hasher.verify(password, hash)
    }

    // MARK: Fencing

    /// This incarnation was declared dead: its members are others' by now, and of its copies only
    /// those count that the store has lost. Clients are sent to reconnect, and the process goes on
    /// under a new name.
    private func fenced(_ incarnation: String) {
        guard environment.identity.renew(after: incarnation) else { return }
        cluster.becameNewIncarnation()
        environment.metrics.count(\.fenced)
        environment.logger.warning(
            "this instance was declared dead by another; its clients are asked to reconnect",
            metadata: ["incarnation": "\(incarnation)"])
        registry.forEachShard { shard in
            for room in shard.liveRooms { room.endFenced() }
            shard.closeIdleRooms(after: 0)
        }
        let clients = sessions.withLockedValue { Array($0.values) }
        for session in clients { session.socket.closeTransport(.serverShutdown(code: 1012)) }
    }
}

/// The queue of password hashing is full.
struct ServiceBusy: Error {}
