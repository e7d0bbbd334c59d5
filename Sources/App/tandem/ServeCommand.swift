import ArgumentParser
import Foundation
import Logging
import ServiceLifecycle

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve rooms until SIGTERM or SIGINT, then drain and exit 0.",
        discussion: "Exits 2 if the configuration is not usable, 1 if the port cannot be had.")

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let settings = try options.load()
        let logger = Self.makeLogger(settings)
        let server = TandemServer(settings: settings, logger: logger)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: server, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        do {
            try await group.run()
        } catch let error as TandemServer.StartFailure {
            logger.critical("\(error)")
            throw ExitCode(error.exitCode)
        }
    }

    private static func makeLogger(_ settings: Settings) -> Logger {
        let (format, level) = (settings.logFormat, settings.logLevel)
        LoggingSystem.bootstrap { label in
            switch format {
            case .json: return JSONLogHandler(label: label, level: level)
            case .text:
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = level
                return handler
            }
        }
        var logger = Logger(label: "tandem")
        logger[metadataKey: "instance"] = "\(settings.node.id)"
        return logger
    }
}
