import ArgumentParser
import Foundation

/// The options by which commands find their settings.
struct ConfigurationOptions: ParsableArguments {
    @Option(
        name: .long, help: "A file of NAME=value lines; variables of the environment win over it.")
    var envFile: String?

    @Option(name: .long, help: "Port to listen on, instead of PORT.")
    var port: String?

    @Option(name: .long, help: "Name of this instance, instead of INSTANCE_ID.")
    var instanceID: String?

    /// Ends the program with code 2 and every problem listed if the settings are not usable.
    func load() throws -> Settings {
        var environment = ProcessInfo.processInfo.environment
        if let port { environment[Variable.port.rawValue] = port }
        if let instanceID { environment[Variable.instanceID.rawValue] = instanceID }
        do throws(Settings.Invalid) {
            return try Settings(
                environment: environment, file: envFile.map { EnvironmentFile(path: $0) })
        } catch {
            let lines = error.problems.map { "  \($0)\n" }.joined()
            let text = "tandem: the configuration is not usable:\n\(lines)"
            FileHandle.standardError.write(Data(text.utf8))
            throw ExitCode(2)
        }
    }
}
