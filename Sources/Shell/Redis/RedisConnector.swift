import NIOCore
import NIOPosix
import NIOSSL

/// Opens connections: finds the primary, connects, wraps in TLS, greets. One attempt a call.
///
/// Sendable: `preferredSentinel` is touched on `eventLoop` only; all else is constant.
final class RedisConnector: @unchecked Sendable {
    typealias Opened = (connection: RedisConnection, greeting: RedisGreeting)

    let configuration: RedisConfiguration
    let eventLoop: any EventLoop
    private let tls: NIOSSLContext?
    private var preferredSentinel = 0

    /// Throws where the TLS configuration cannot be used, for example for a missing file.
    init(configuration: RedisConfiguration, eventLoop: any EventLoop) throws {
        self.configuration = configuration
        self.eventLoop = eventLoop
        tls = try configuration.tls.map { try NIOSSLContext(configuration: $0) }
    }

    /// One connection, greeted and ready, within `connectTimeout`. Fails with `RedisProblem`.
    func open(name: String) -> EventLoopFuture<Opened> {
        eventLoop.assertInEventLoop()
        let due = eventLoop.now + TimeAmount(configuration.limits.connectTimeout)
        return primary(by: due).flatMap { address in
            self.connect(to: address, by: due).flatMap { connection in
                self.greet(connection, address, name: name, by: due)
            }
        }.flatMapErrorThrowing { error in
            throw RedisProblem(connecting: error, elseCode: .unreachable)
        }
    }

    private func greet(
        _ connection: RedisConnection, _ address: RedisAddress, name: String, by due: NIODeadline
    ) -> EventLoopFuture<Opened> {
        connection.greet(configuration, address: address, name: name, deadline: remaining(due))
            .map { (connection, $0) }
            .flatMapErrorThrowing { error in
                let problem = RedisProblem(connecting: error, elseCode: .connectionLost)
                connection.end(problem)
                throw problem
            }
    }

    private func connect(
        to address: RedisAddress, by due: NIODeadline
    ) -> EventLoopFuture<RedisConnection> {
        let limits = configuration.limits
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(remaining(due)))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { [tls] channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let tls else { return }
                    try channel.pipeline.syncOperations.addHandler(
                        Self.tlsHandler(tls, host: address.host))
                }
            }
            .connect(host: address.host, port: address.port)
            .flatMapThrowing { try RedisConnection(channel: $0, limits: limits) }
    }

    /// An IP address may not be sent as a server name; it is then checked as an address.
    private static func tlsHandler(
        _ context: NIOSSLContext, host: String
    ) throws -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: host)
        } catch let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI {
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }

    private func remaining(_ due: NIODeadline) -> Duration {
        max(.milliseconds(1), Duration(due - eventLoop.now))
    }
}

// MARK: - Sentinel

extension RedisConnector {
    /// Where the primary is at present, as Sentinel says, or the fixed address.
    func findPrimary() -> EventLoopFuture<RedisAddress> {
        eventLoop.assertInEventLoop()
        return primary(by: eventLoop.now + TimeAmount(configuration.limits.connectTimeout))
    }

    private func primary(by due: NIODeadline) -> EventLoopFuture<RedisAddress> {
        guard let sentinels = configuration.sentinels, !sentinels.addresses.isEmpty else {
            return eventLoop.makeSucceededFuture(configuration.address)
        }
        return ask(sentinels, tried: 0, by: due)
    }

    /// Asks one Sentinel after the other; each gets an equal share of half the time.
    private func ask(
        _ sentinels: RedisSentinels, tried: Int, by due: NIODeadline
    ) -> EventLoopFuture<RedisAddress> {
        let count = sentinels.addresses.count
        guard tried < count else {
            let text = "no Sentinel of \(count) names a primary called \(sentinels.primaryName)"
            return eventLoop.makeFailedFuture(RedisProblem(.noPrimary, text))
        }
        let index = (preferredSentinel + tried) % count
        let share = configuration.limits.connectTimeout / (2 * count)
        let shareEnd = min(due, eventLoop.now + TimeAmount(share))
        return connect(to: sentinels.addresses[index], by: shareEnd)
            .flatMap { self.askPrimary(sentinels, on: $0, by: shareEnd) }
            .map { address in
                self.preferredSentinel = index
                return address
            }
            .flatMapError { _ in self.ask(sentinels, tried: tried + 1, by: due) }
    }

    private func askPrimary(
        _ sentinels: RedisSentinels, on connection: RedisConnection, by due: NIODeadline
    ) -> EventLoopFuture<RedisAddress> {
        if let password = sentinels.password {
            let user = sentinels.username.map { [RESPArgument($0)] } ?? []
            _ = connection.send(
                ["AUTH"] + user + [RESPArgument(password.value)], deadline: remaining(due))
        }
        let question: [RESPArgument] = [
            "SENTINEL", "get-master-addr-by-name", RESPArgument(sentinels.primaryName),
        ]
        return connection.send(question, deadline: remaining(due)).flatMapThrowing { reply in
            guard let fields = reply.array, fields.count == 2, let host = fields[0].string,
                let port = fields[1].int, let port = UInt16(exactly: port)
            else { throw RedisProblem(.noPrimary, "this Sentinel does not know the primary") }
            return RedisAddress(host: host, port: Int(port))
        }.always { _ in connection.end(RedisProblem(.closed, "closed")) }
    }
}
