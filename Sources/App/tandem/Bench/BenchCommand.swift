import ArgumentParser
import Foundation
import LoadTool

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Put a Socket.IO server under load and check every delivery.",
        discussion: """
            Scenarios:
              fanout    members of rooms send, all others receive
              ack       the time until edits are acknowledged
              cross     senders on the first --url, receivers on the others
              failover  kills an instance and measures the time until all is whole
              scene     whole scenes of 1 to 15 MB, until each other member has them
              connect   how fast clients get connected
              churn     connect, join, leave, over and over
              idle      memory of connections that do nothing

            Exits 0 if every delivery was right, 1 if any was missing, duplicate or out of order \
            or the run failed, 2 if the options are not usable. Linux; http:// and ws:// only.

            Examples:
              tandem bench fanout --url http://127.0.0.1:3001 --pid $(pidof tandem) \\
                  --rooms 10 --members 200 --in-flight 16 --json fanout.json
              tandem bench fanout --rate 50 --duration 30          # open loop, 50/s a sender
              tandem bench cross --url http://127.0.0.1:3001 --url http://127.0.0.1:3002
              tandem bench failover --url http://127.0.0.1:3001 --url http://127.0.0.1:3002 \\
                  --rate 10 --kill $(pgrep -f 'port 3002')
              tandem bench idle --connections 10000 --pid $(pidof tandem)
              tandem bench fanout --url http://127.0.0.1:8000 --join '["join","{room}"]' \\
                  --joined joined --emit '["message",{"text":"{payload}"}]' --receive message
            """)

    @Argument(help: "\(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).")
    var scenario: Scenario

    @OptionGroup(title: "Load") var load: LoadOptions
    @OptionGroup(title: "Any Socket.IO server") var events: EventOptions

    @Option(name: .long, help: "A file for the result as one JSON object; - for standard output.")
    var json: String?

    @Flag(inversion: .prefixedNo, help: "A line on standard error while it runs.")
    var progress: Bool = isatty(STDERR_FILENO) == 1

    func run() throws {
        let report: LoadReport
        do {
            report = try LoadRun(try plan()).run()
        } catch let error as LoadError {
            throw fail(error)
        }
        try write(report)
        if !report.isClean { throw ExitCode(1) }
    }

    private func fail(_ error: LoadError) -> ExitCode {
        FileHandle.standardError.write(Data("tandem bench: \(error)\n".utf8))
        return ExitCode(error.kind == .usage ? 2 : 1)
    }

    private func plan() throws -> LoadPlan {
        var plan = try load.plan(scenario, contract: events.contract(for: scenario))
        plan.echo = events.echo
        plan.headers = events.header
        plan.showsProgress = progress
        return plan
    }

    private func write(_ report: LoadReport) throws {
        guard let json else { return print(report.table) }
        let data = Data(report.json + [UInt8(ascii: "\n")])
        if json == "-" { return FileHandle.standardOutput.write(data) }
        print(report.table)
        do {
            try data.write(to: URL(fileURLWithPath: json))
        } catch {
            throw fail(.failed("--json: cannot write \(json)"))
        }
    }
}

extension Scenario: ExpressibleByArgument {}
