import Logging
import NIOConcurrencyHelpers
import NIOCore
import Redis
import SocketIOServer

/// The relay of all namespaces of one server.
///
///     let relay = RelayService(client: redis, logger: logger)
///     let server = SocketIOServer(eventLoopGroup: group, logger: logger, adapter: relay.adapter)
///
/// The client is started and closed by whoever made it; its configuration has to subscribe. From
/// any thread.
package final class RelayService: Sendable {
    private let client: RedisClient
    private let options: RelayOptions
    private let logger: Logger
    private let counters = RelayCounters()
    private let adapters = NIOLockedValueBox<[String: RelayAdapter]>([:])

    package init(
        client: RedisClient, options: RelayOptions = RelayOptions(),
        logger: Logger = Logger(label: "relay")
    ) {
        self.client = client
        self.options = options
        self.logger = logger
    }

    /// Makes the adapter of each namespace, over a `LocalAdapter`; it listens at once.
    package var adapter: AdapterFactory {
        { namespace, loops, _ in self.makeAdapter(namespace, loops) }
    }

    /// The adapter of a namespace that the server has.
    package subscript(namespace: String) -> RelayAdapter? {
        adapters.withLockedValue { $0[namespace] }
    }

    /// `RelayAdapter.mirror`, in the namespace of the event.
    package func mirror(_ event: PreparedEvent, to target: BroadcastTarget) {
        self[event.namespace]?.mirror(event, to: target)
    }

    package var metrics: RelayMetrics { counters.current }

    /// Listens no more; broadcasts go on in this process.
    package func stop() {
        for adapter in adapters.withLockedValue({ $0.values }) { adapter.stop() }
    }

    private func makeAdapter(_ namespace: String, _ loops: [any EventLoop]) -> RelayAdapter {
        let adapter = RelayAdapter(
            wrapping: LocalAdapter(loops: loops), namespace: namespace, loops: loops,
            client: client, options: options, counters: counters, logger: logger)
        adapters.withLockedValue { $0[namespace] = adapter }
        adapter.start()
        return adapter
    }
}
