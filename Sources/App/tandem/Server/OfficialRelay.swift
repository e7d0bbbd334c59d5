import HTTPAPI
import Logging
import NIOConcurrencyHelpers
import NIOCore
import Redis
import Relay
import RoomService
import SocketIOServer

/// The way between this instance and programs with the official Node Redis adapter or emitter,
/// over connections to Redis of its own.
///
/// It is beside the rooms' way: that it is lost makes no instance unready and no room slower.
/// `tandem_relay_listening` and one line in the log tell of it.
final class OfficialRelay: Sendable {
    private let client: RedisClient
    private let service: RelayService
    private let mirrors: Bool
    private let logger: Logger
    private let isReportedLost = NIOLockedValueBox(false)

    /// Nil in embedded mode.
    init?(settings: Settings, group: any EventLoopGroup, logger: Logger) throws {
        guard var configuration = settings.redis else { return nil }
        configuration.clientName = "tandem-\(settings.node.id)-relay"
        client = try RedisClient(
            configuration: configuration, eventLoop: group.next(), logger: logger)
        service = RelayService(client: client, logger: logger)
        mirrors = settings.mirrorsOfficially
        self.logger = logger
    }

    var adapter: AdapterFactory { service.adapter }

    func start() {
        client.onStateChange { [weak self] in self?.log($0) }
        client.start()
    }

    /// Listens no more, and lets what was published go out.
    func stop() async {
        service.stop()
        try? await client.close().get()
    }

    /// Tells Node servers of a broadcast; each instance delivers it to its own clients by itself.
    /// Nil unless `RELAY_OFFICIAL` is 1.
    var mirror: Mirror? {
        guard mirrors else { return nil }
        return { [service] event, target in service.mirror(event, to: target) }
    }

    func collectMetrics(into samples: inout MetricSamples) {
        let metrics = service.metrics
        samples.set(.relayListening, client.status.isSubscriptionHealthy ? 1 : 0)
        samples.set(.relayPublished, metrics.published)
        samples.set(.relayUnpublished, metrics.unpublished)
        samples.set(.relayReceived, metrics.received)
        samples.set(.relayDelivered, metrics.delivered)
        samples.set(.relayRequests, metrics.requests)
        samples.set(.relayMalformed, metrics.malformed)
    }

    /// Once when it is lost, however many attempts follow, and once when it is back.
    private func log(_ state: RedisState) {
        if let problem = state.problem {
            let isNew = isReportedLost.withLockedValue { lost in
                defer { lost = true }
                return !lost
            }
            guard isNew else { return }
            logger.warning(
                "programs with the official adapter do not reach this instance",
                metadata: ["problem": "\(problem)"])
        } else if state.isReady {
            let wasLost = isReportedLost.withLockedValue { lost in
                defer { lost = false }
                return lost
            }
            if wasLost { logger.notice("programs with the official adapter are heard again") }
        }
    }
}
