import ArgumentParser
import LoadTool

/// How many do what, how fast and for how long.
struct LoadOptions: ParsableArguments {
    @Option(
        name: .long,
        help: "A server, http://host:port; may be repeated. (default: http://127.0.0.1:3001)")
    var url: [String] = []

    @Option(
        name: .long,
        help: "A server process whose CPU time and memory are measured; may be repeated.")
    var pid: [Int32] = []

    @Option(name: .long, help: "Rooms. (default: 1; churn: as many as --concurrency)")
    var rooms: Int?

    @Option(name: .long, help: "Members of each room.")
    var members = 10

    @Option(name: .long, help: "How many members of each room send.")
    var senders = 1

    @Option(
        name: .long,
        help: """
            Closed loop: messages that each sender has under way. The next goes out when all other \
            members have one. (default: 1)
            """)
    var inFlight: Int?

    @Option(
        name: .long,
        help: """
            Open loop: messages that each sender sends a second, on a schedule; latency counts \
            from the scheduled time. For scene: at most so many scenes of a room.
            """)
    var rate: Double?

    @Option(name: .long, help: "Bytes of each payload. (default: 200; scene: 1000000)")
    var bytes: Int?

    @Option(name: .long, help: "Seconds of traffic before the measured window. (default: 2)")
    var warmup: Double?

    @Option(name: .long, help: "Seconds of the measured window.")
    var duration = 10.0

    @Option(name: .long, help: "Seconds between the last join and the first message.")
    var settle = 1.0

    @Option(name: .long, help: "Threads of this tool; a room is on one.")
    var threads = 1

    @Option(name: .long, help: "Clients of idle and connect.")
    var connections = 1000

    @Option(
        name: .long,
        help: "Clients that get connected at a time; for churn: that go through their cycle.")
    var concurrency = 64

    @Option(name: .long, help: "failover: the process to kill with SIGKILL.")
    var kill: Int32?

    @Option(name: .long, help: "failover: seconds of the measured window before the kill.")
    var killAfter = 2.0

    @Option(name: .long, help: "Seed of everything random.")
    var seed: UInt64 = 1

    func plan(_ scenario: Scenario, contract: ServerContract) throws -> LoadPlan {
        if inFlight != nil, rate != nil {
            throw LoadError.usage("--in-flight is a closed loop, --rate an open one: give one")
        }
        let urls = url.isEmpty ? ["http://127.0.0.1:3001"] : url
        var plan = LoadPlan(
            scenario: scenario, servers: try urls.map { try ServerAddress($0) },
            contract: contract)
        plan.processes = pid
        plan.rooms = rooms ?? (scenario == .churn ? concurrency : 1)
        plan.members = members
        plan.senders = senders
        plan.pace = rate.map { .open(perSecond: $0) } ?? .closed(inFlight: inFlight ?? 1)
        if scenario == .scene {
            plan.pace = .closed(inFlight: 1)
            plan.sceneInterval = rate.map { Int64(1e9 / max(0.001, $0)) } ?? 0
        }
        plan.bytes = bytes ?? (scenario == .scene ? 1_000_000 : 200)
        // Nothing is sent that the server could warm up on.
        let connectsOnly = scenario == .idle || scenario == .connect
        plan.warmupSeconds = connectsOnly ? 0 : warmup ?? 2
        plan.seconds = duration
        plan.settleSeconds = settle
        plan.threads = threads
        plan.connections = connections
        plan.concurrency = concurrency
        plan.victim = kill
        plan.killAfterSeconds = killAfter
        plan.seed = seed
        return plan
    }
}
