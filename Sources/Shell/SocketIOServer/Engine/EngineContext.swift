import Atomics
import EngineIO
import Logging
import NIOCore
import WebSocket

/// What all connections of one server share; immutable, or safe from any thread.
final class EngineContext: Sendable {
    let options: ServerOptions
    let logger: Logger
    private let mounts: [EngineMount]
    let registry = SessionRegistry()
    let addresses: AddressBook
    let validator: RequestValidator
    let sessionSettings: EngineSessionStateMachine.Settings
    let frameLimits: WebSocket.Limits
    let connectionCount = ManagedAtomic(0)
    let refusedConnections = ManagedAtomic(0)
    let isClosing = ManagedAtomic(false)
    let forwards = ForwardLedger()
    let loops: [EngineLoop]

    init(
        options: ServerOptions, group: any EventLoopGroup, logger: Logger, mounts: [EngineMount]
    ) {
        precondition(
            Set(mounts.map(\.path)).count == mounts.count, "two mounts have the same path")
        self.options = options
        self.logger = logger
        self.mounts = mounts
        let limits = options.limits
        addresses = AddressBook(limits: limits)
        validator = RequestValidator(
            transports: Set(options.transports.map { $0 == .polling ? .polling : .webSocket }),
            revisions: options.allowsRevision3 ? [.three, .four] : [.four])
        sessionSettings = .init(
            pingInterval: options.pingInterval.wholeMilliseconds,
            pongPatience: options.pongPatience.wholeMilliseconds,
            upgradeTimeout: options.upgradeTimeout.wholeMilliseconds,
            closeTimeout: limits.closeTimeout.wholeMilliseconds,
            allowsUpgrade: options.allowsUpgradeToWebSocket)
        frameLimits = WebSocket.Limits(
            maxMessageBytes: limits.maxPayloadBytes,
            maxSkippedMessageBytes: limits.maxSkippedMessageBytes)
        let ledger = BacklogLedger()
        let tick = min(max(options.pingInterval.wholeMilliseconds / 40, 10), 250)
        loops = group.makeIterator().map {
            EngineLoop(eventLoop: $0, limits: limits, tick: tick, ledger: ledger)
        }
    }

    /// Whether an address is the operator's own, which has no limits of an address.
    func isTrusted(_ address: String) -> Bool {
        options.trustedProxies.cover(address)
    }

    func loop(of eventLoop: any EventLoop) -> EngineLoop? {
        loops.first { $0.eventLoop === eventLoop }
    }

    /// The mount that serves a request's path, or nil: a plain request.
    func mount(at path: String) -> EngineMount? {
        let key = EngineMount.key(of: path)
        return mounts.first { $0.path == key }
    }

    /// The open packet of a session.
    func openPacket(sid: String, over transport: TransportKind) -> Packet {
        let canUpgrade = transport == .polling && options.allowsUpgradeToWebSocket
        return OpenPacket(
            sid: sid, upgrades: canUpgrade ? [.webSocket] : [],
            pingIntervalMilliseconds: Int(options.pingInterval.wholeMilliseconds),
            pingTimeoutMilliseconds: Int(options.pingTimeout.wholeMilliseconds),
            maxPayloadBytes: options.limits.maxPayloadBytes
        ).packet
    }
}

extension ServerOptions {
    var allowsUpgradeToWebSocket: Bool { allowUpgrades && transports.contains(.webSocket) }
}

extension Duration {
    /// Rounded down; bounded so that arithmetic on it cannot overflow.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let bounded = min(max(seconds, 0), 1 << 40)
        return bounded * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
