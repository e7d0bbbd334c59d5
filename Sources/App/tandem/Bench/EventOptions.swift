import ArgumentParser
import LoadTool

/// The events by which a server other than Tandem is driven.
struct EventOptions: ParsableArguments {
    @Option(
        name: .long,
        help: """
            What senders emit, as JSON with {payload}, {room}, {user}, {uuid}; \
            ["message",{"text":"{payload}"}]. (default: an edit of Tandem's contract)
            """)
    var emit: String?

    @Option(name: .long, help: "With --emit: the event that receivers get.")
    var receive: String?

    @Option(
        name: .long,
        help: "With --emit: what a member emits to join, such as [\"join\",\"{room}\"].")
    var join: String?

    @Option(
        name: .long,
        help: """
            With --join: the event that confirms it; ack for its acknowledgement. (default: none)
            """)
    var joined: String?

    @Option(name: .long, help: "With --emit, for churn: what a member emits to leave.")
    var leave: String?

    @Option(name: .long, help: "With --leave: the event that confirms it, or ack.")
    var left: String?

    @Flag(name: .long, help: "The server sends a message to its sender too.")
    var echo = false

    @Option(name: .long, help: "A header of the handshake, 'Name: value'; may be repeated.")
    var header: [String] = []

    func contract(for scenario: Scenario) throws -> ServerContract {
        guard let emit else {
            let lone = [("--receive", receive), ("--join", join), ("--leave", leave)]
            if let option = lone.first(where: { $0.1 != nil })?.0 {
                throw LoadError.usage("\(option) belongs to --emit")
            }
            return scenario == .scene ? try .tandemScenes() : try .tandem()
        }
        guard let receive else { throw LoadError.usage("--receive is missing beside --emit") }
        guard scenario != .scene, scenario != .failover else {
            throw LoadError.usage("\(scenario.rawValue) speaks Tandem's contract only")
        }
        return ServerContract(
            join: try join.map { try EventTemplate($0, option: "--join") },
            joined: try confirmation(joined, "--joined"),
            leave: try leave.map { try EventTemplate($0, option: "--leave") },
            left: try confirmation(left, "--left"),
            emit: try EventTemplate(emit, option: "--emit"),
            receive: try EventTemplate.name(of: receive, option: "--receive"))
    }

    private func confirmation(
        _ text: String?, _ option: String
    ) throws -> ServerContract.Confirmation {
        switch text {
        case nil: .none
        case "ack"?: .acknowledgement
        case let text?: .event(try EventTemplate.name(of: text, option: option))
        }
    }
}
