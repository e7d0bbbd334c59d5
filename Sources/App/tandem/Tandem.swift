import ArgumentParser

/// The program: `tandem [serve | check-config | ring | bench]`.
@main
struct Tandem: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tandem",
        abstract: "A high-availability room server for real-time collaboration over Socket.IO.",
        discussion: """
            Configured by environment variables, or by a file of them (--env-file). Without Redis \
            one embedded instance is served from memory. `tandem check-config` lists the variables.
            """,
        version: Build.version,
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, RingCommand.self, BenchCommand.self,
        ],
        defaultSubcommand: ServeCommand.self)
}

enum Build {
    static let version = "0.1.0"
}
