import Cluster
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RoomService
import Secrets
import ServiceLifecycle
import SocketIOServer

/// One instance: joins the parts, starts them in order, drains them on the way out.
final class TandemServer: Service {
    /// Why the server did not start, or ended by itself.
    struct StartFailure: Error, CustomStringConvertible {
        let description: String
        /// 1: an address that cannot be had. 2: a configuration that cannot work.
        let exitCode: Int32
    }

    private let settings: Settings
    private let logger: Logger

    init(settings: Settings, logger: Logger) {
        self.settings = settings
        self.logger = logger
    }

    func run() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.eventLoops)
        do {
            try await serve(on: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func serve(on group: MultiThreadedEventLoopGroup) async throws {
        let instance = try Instance(settings: settings, group: group, logger: logger)
        do {
            try await instance.start()
        } catch {
            await instance.stop()
            throw StartFailure(
                description:
                    "cannot listen on \(settings.host):\(settings.port) (HOST, PORT): \(error)",
                exitCode: 1)
        }
        let ended = try await Self.firstOf(
            { try await gracefulShutdown() }, { try await instance.waitForRefusal() })
        if let refusal = ended {
            try? await instance.cluster.leave().get()
            await instance.stop()
            throw StartFailure(description: refusal, exitCode: 2)
        }
        await instance.drain()
        await instance.stop()
    }

    /// Waits for the order to end, or for a reason not to go on.
    private static func firstOf(
        _ shutdown: @escaping @Sendable () async throws -> Void,
        _ refusal: @escaping @Sendable () async throws -> String
    ) async throws -> String? {
        try await withThrowingTaskGroup(of: String?.self) { group in
            group.addTask {
                try await shutdown()
                return nil
            }
            group.addTask { try await refusal() }
            let first = try await group.next()
            group.cancelAll()
            return first ?? nil
        }
    }
}
