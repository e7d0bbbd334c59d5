import ArgumentParser
import Cluster
import Foundation

struct RingCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring",
        abstract: "Print the owner of room ids by the ring that nginx uses.",
        discussion: """
            Prints `id<TAB>upstream` a line for each id given, or read from a file or standard \
            input (-), one a line.
            """)

    @Option(name: .long, help: "Upstreams as nginx.conf writes them: host:port[=weight],…")
    var nodes: String

    @Option(name: .long, help: "Upstreams marked down in nginx.conf: host:port,…")
    var down = ""

    @Option(name: .long, help: "A file of ids, one a line; - for standard input.")
    var idsFrom: String?

    @Argument(help: "Room ids.")
    var ids: [String] = []

    func run() throws {
        let report: RingReport
        do throws(RingReport.Problem) {
            report = try RingReport(nodes: nodes, down: down)
        } catch {
            throw ValidationError("--nodes: \(error)")
        }
        for id in ids { print(report.line(for: id)) }
        guard let idsFrom else { return }
        let text = try Self.read(idsFrom)
        for id in text.split(whereSeparator: \.isNewline) { print(report.line(for: String(id))) }
    }

    private static func read(_ path: String) throws -> String {
        let data =
            path == "-"
            ? FileHandle.standardInput.readDataToEndOfFile()
            : FileManager.default.contents(atPath: path)
        guard let data, let text = String(data: data, encoding: .utf8) else {
            throw ValidationError("--ids-from: cannot read \(path) as UTF-8 text")
        }
        return text
    }
}
