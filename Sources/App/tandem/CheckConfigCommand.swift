import ArgumentParser
import Foundation

struct CheckConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration and list every variable with its value.",
        discussion: "Exits 0 if it is usable, 2 with every problem listed if not.")

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let settings = try options.load()
        let file = options.envFile.map { EnvironmentFile(path: $0).values } ?? [:]
        let environment = ProcessInfo.processInfo.environment
        for variable in Variable.allCases {
            let value = environment[variable.rawValue] ?? file[variable.rawValue] ?? ""
            let shown =
                value.isEmpty ? "(unset)" : variable.isSecret ? "(set, not shown)" : value
            print("\(variable.rawValue)=\(shown)\n    \(variable.help)")
        }
        print("")
        print("instance \(settings.node.id) of \(settings.nodes.nodes.count):")
        for node in settings.nodes.nodes {
            print("  \(node.id)  \(node.upstream)  \(node.publicURL)  weight \(node.server.weight)")
        }
        print(settings.isEmbedded ? "store: memory (embedded)" : "store: Redis")
        print("configuration ok")
    }
}
