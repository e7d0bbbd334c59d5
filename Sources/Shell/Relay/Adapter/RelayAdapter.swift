import Logging
import NIOConcurrencyHelpers
import NIOCore
import Redis
import SocketIOServer

/// An adapter over Redis pub/sub that speaks with the official Node adapter and emitter.
///
/// - What other servers and emitters broadcast reaches the sockets here.
/// - With `RelayOptions.publishes` what is broadcast here reaches the other servers.
/// - What others ask about sockets (join, leave, disconnect, list) is done and answered, before
///   what they send after it is delivered.
///
/// Guarantees: a broadcast reaches the sockets of this process in the order and at the time that
/// the wrapped adapter gives, whatever Redis does; other servers get each at most once, in the
/// order in which they were begun on one loop. Without Redis nothing is published, and nothing is
/// kept for later. What others send can neither stop the process nor cost more than its limits.
///
/// Whoever may publish to this Redis may address every socket: Redis is trusted, as is everything
/// that reads rooms from it.
package final class RelayAdapter: Adapter {
    /// Marks what one server publishes for others while its peers have it from elsewhere: no
    /// `RelayAdapter` delivers it, every Node server does.
    package static let mirrorUID = "tandem"

    package let namespace: String
    /// By which the others know this server, and it knows its own messages.
    package let uid: String

    let local: any Adapter
    let client: RedisClient
    let options: RelayOptions
    let channels: RelayChannels
    let logger: Logger
    let loops: [any EventLoop]
    let rooms = LocalRooms()
    let counters: RelayCounters
    let pending: NIOLoopBoundBox<PendingRequests>
    let order: NIOLoopBoundBox<MessageOrder>
    let serverSideHandlers = NIOLockedValueBox<[ServerSideHandler]>([])

    /// - Parameters:
    ///   - local: carries events to the sockets of this process.
    ///   - loops: all loops on which sockets of the namespace may live.
    init(
        wrapping local: any Adapter, namespace: String, loops: [any EventLoop],
        client: RedisClient, options: RelayOptions, counters: RelayCounters, logger: Logger
    ) {
        self.local = local
        self.namespace = namespace
        self.loops = loops
        self.client = client
        self.options = options
        self.counters = counters
        self.logger = logger
        uid = Self.randomID()
        channels = RelayChannels(namespace: namespace, prefix: options.channelPrefix)
        order = .makeBoxSendingValue(
            MessageOrder(limit: options.limits.maxWaitingMessages), eventLoop: client.eventLoop)
        pending = .makeBoxSendingValue(
            PendingRequests(limit: options.limits.maxPendingRequests), eventLoop: client.eventLoop)
    }

    /// Listens from now on, over every later connection of the client.
    func start() {
        client.psubscribe(channels.broadcastPattern) { [weak self] in self?.received($0) }
        for channel in directChannels {
            client.subscribe(channel) { [weak self] in self?.received($0) }
        }
    }

    /// Listens no more; what is waited for ends incomplete.
    func stop() {
        client.punsubscribe(channels.broadcastPattern)
        for channel in directChannels { client.unsubscribe(channel) }
        client.eventLoop.execute { self.pending.value.endAll() }
    }

    private var directChannels: [String] {
        [channels.request, channels.response, channels.response(for: uid)]
    }

    static func randomID() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36)
    }
}

// MARK: - Sockets of this process

extension RelayAdapter {
    package func add(_ socket: Socket) {
        rooms.added(to: socket.id)
        local.add(socket)
    }

    package func remove(_ socket: Socket) {
        rooms.removed(from: local.rooms(of: socket))
        rooms.removed(from: CollectionOfOne(socket.id))
        local.remove(socket)
    }

    package func join(_ socket: Socket, room: String) {
        if !local.rooms(of: socket).contains(room) { rooms.added(to: room) }
        local.join(socket, room: room)
    }

    package func leave(_ socket: Socket, room: String) {
        if local.rooms(of: socket).contains(room) { rooms.removed(from: CollectionOfOne(room)) }
        local.leave(socket, room: room)
    }

    package func rooms(of socket: Socket) -> Set<String> { local.rooms(of: socket) }

    package var socketCount: Int { local.socketCount }

    package func forEachSocket(
        in target: BroadcastTarget, _ body: @escaping @Sendable (Socket) -> Void
    ) {
        local.forEachSocket(in: target, body)
    }

    /// As `forEachSocket`; the future succeeds when `body` has run for all.
    func visit(
        _ target: BroadcastTarget, _ body: @escaping @Sendable (Socket) -> Void
    ) -> EventLoopFuture<Void> {
        local.forEachSocket(in: target, body)
        // A loop does what it is given in order: the bodies have run before this.
        return .andAllComplete(loops.map { $0.submit {} }, on: client.eventLoop)
    }

    /// Runs `body` with each socket of the target and collects what it returns.
    func collect<Value: Sendable>(
        _ target: BroadcastTarget, _ body: @escaping @Sendable (Socket) -> Value?
    ) -> EventLoopFuture<[Value]> {
        let values = NIOLockedValueBox<[Value]>([])
        return visit(target) { socket in
            if let value = body(socket) { values.withLockedValue { $0.append(value) } }
        }.map { values.withLockedValue { $0 } }
    }
}

// MARK: - To others

extension RelayAdapter {
    /// To the sockets here, and with `RelayOptions.publishes` to those of the other servers.
    package func broadcast(_ event: PreparedEvent, to target: BroadcastTarget) {
        local.broadcast(event, to: target)
        if options.publishes { publish(event, to: target, as: uid) }
    }

    /// Tells servers of other kinds of a broadcast that every server of this kind makes by itself.
    /// Called by one of them. From any thread.
    package func mirror(_ event: PreparedEvent, to target: BroadcastTarget) {
        publish(event, to: target, as: Self.mirrorUID)
    }

    private func publish(_ event: PreparedEvent, to target: BroadcastTarget, as uid: String) {
        guard event.namespace == namespace else { return }
        guard client.status.canPublish else { return counters.count(\.unpublished) }
        guard let message = BroadcastMessage.encode(event, to: target, uid: uid) else { return }
        publish(message, on: channels.broadcast(to: target.rooms))
    }

    func publish(_ message: [UInt8], on channel: String) {
        guard message.count <= options.limits.maxPublishedBytes else {
            counters.count(\.unpublished)
            return logger.warning(
                "message too large for the relay",
                metadata: ["channel": "\(channel)", "bytes": "\(message.count)"])
        }
        let command: [RESPArgument] = ["PUBLISH", RESPArgument(channel), RESPArgument(message)]
        client.send(command).whenComplete { [counters] result in
            switch result {
            case .success: counters.count(\.published)
            case .failure: counters.count(\.unpublished)
            }
        }
    }
}

extension RedisStatus {
    /// False where a command is known to fail, so that nobody encodes for nothing.
    fileprivate var canPublish: Bool {
        switch state {
        case .down, .closed: false
        case .connecting, .ready, .degraded: true
        }
    }
}
