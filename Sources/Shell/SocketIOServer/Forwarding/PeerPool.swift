import NIOCore
import NIOHTTP1
import NIOPosix

/// The connections of one event loop to other instances. Confined to that loop.
final class PeerPool {
    private let eventLoop: any EventLoop
    private var idle: [ForwardTarget: [PeerConnection]] = [:]
    private var isClosed = false

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// A connection on which nothing is under way, kept or new; nil where there is none to be had.
    func connect(
        to target: ForwardTarget, loop: EngineLoop, limits: SessionForwarding.Limits,
        _ done: @escaping (PeerConnection?) -> Void
    ) {
        if let kept = idle[target]?.popLast() {
            done(kept)
            return
        }
        let connection = PeerConnection(to: target, pool: self, loop: loop, limits: limits)
        let box = NIOLoopBound((connection: connection, done: done), eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.nanoseconds(limits.connectTimeout.wholeMilliseconds * 1_000_000))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try box.value.connection.install(channel) }
            }
            .connect(host: target.host, port: target.port)
            .hop(to: eventLoop)
            .whenComplete { result in
                let (connection, done) = box.value
                if case .success = result { done(connection) } else { done(nil) }
            }
    }

    /// Keeps a connection for the next request; false where it is to be closed instead.
    func keep(_ connection: PeerConnection) -> Bool {
        let kept = idle[connection.target]?.count ?? 0
        guard !isClosed, kept < connection.limits.maxIdleConnections else { return false }
        idle[connection.target, default: []].append(connection)
        return true
    }

    func forget(_ connection: PeerConnection) {
        idle[connection.target]?.removeAll { $0 === connection }
        if idle[connection.target]?.isEmpty == true { idle[connection.target] = nil }
    }

    /// Closes what is idle, now and from now on.
    func close() {
        isClosed = true
        for connection in idle.values.joined() { connection.close() }
        idle = [:]
    }

    var idleCount: Int { idle.values.reduce(0) { $0 + $1.count } }
}
