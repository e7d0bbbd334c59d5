/// What a run does.
package enum Scenario: String, Sendable, CaseIterable {
    case fanout, idle, connect, churn, ack, cross, failover, scene

    /// Whether clients are members of rooms; those of a room are on one thread.
    var usesRooms: Bool { self != .idle && self != .connect }
    /// Whether members send messages to one another.
    var sendsMessages: Bool { usesRooms && self != .churn }
}

/// All that a run is told.
package struct LoadPlan: Sendable {
    /// When senders send.
    package enum Pace: Sendable, Hashable {
        /// Each sender has this many messages under way.
        case closed(inFlight: Int)
        /// Each sender sends this many a second, come what may.
        case open(perSecond: Double)
    }

    package var scenario: Scenario
    package var servers: [ServerAddress]
    package var contract: ServerContract
    /// Processes whose CPU time and memory are measured.
    package var processes: [Int32] = []
    package var rooms = 1
    package var members = 10
    package var senders = 1
    package var pace = Pace.closed(inFlight: 1)
    /// Of the payload; of the scene for `scene`.
    package var bytes = 200
    /// Whether the server sends a message to its sender as well.
    package var echo = false
    package var warmupSeconds = 2.0
    package var seconds = 10.0
    /// Between the last member's joining and the first message: a server may hold back events for
    /// members that have just been sent a scene.
    package var settleSeconds = 1.0
    package var threads = 1
    package var seed: UInt64 = 1
    /// Clients of `idle` and `connect`.
    package var connections = 1000
    /// Clients that get connected, or go through their cycle, at the same time.
    package var concurrency = 64
    package var headers: [String] = []
    /// What `failover` kills, and after how many seconds of the measured window.
    package var victim: Int32?
    package var killAfterSeconds = 2.0
    package var showsProgress = false
    package var limits = LoadLimits()

    package init(scenario: Scenario, servers: [ServerAddress], contract: ServerContract) {
        self.scenario = scenario
        self.servers = servers
        self.contract = contract
    }

    /// Makes the rooms of this run different from those of every other.
    package var runID = "0"

    /// Whether a message counts as done when it is acknowledged, rather than delivered.
    var countsAcknowledgements: Bool { scenario == .ack }
    /// Whether messages ask for an acknowledgement.
    var asksForAcknowledgements: Bool { scenario == .ack || scenario == .failover }

    var inFlight: Int { if case .closed(let count) = pace { count } else { 0 } }
    var rate: Double? { if case .open(let rate) = pace { rate } else { nil } }
    /// Nanoseconds that lie at least between two scenes of one room.
    package var sceneInterval: Int64 = 0
    /// Nanoseconds for which the server leaves a client alone with a scene that it has been sent:
    /// 300 ms for each MB begun, and some to spare.
    var timeToApplyScene: Int64 {
        (300 * (Int64(bytes) / 1_000_000 + 2) + 200) * MonotonicClock.millisecond
    }

    /// Who receives a message: all members but its sender, or all.
    var receivers: Int { echo ? members : members - 1 }

    func roomName(_ room: Int) -> String { "load-\(runID)-\(room)" }

    static func uuid(ofSender sender: Int) -> String {
        let digits = String(sender)
        let zeros = String(repeating: "0", count: max(0, 12 - digits.count))
        return "10ad0000-0000-4000-8000-\(zeros)\(digits)"
    }

    /// The server of a member, among those of the run.
    func server(ofPlace place: Int) -> Int {
        guard servers.count > 1 else { return 0 }
        guard scenario == .cross else { return place % servers.count }
        return place < senders ? 0 : 1 + (place - senders) % (servers.count - 1)
    }

    /// Clients that have to be where they belong before traffic begins.
    var readyCount: Int { scenario == .churn ? rooms : clientCount }

    /// Connections of the whole run at one time.
    var clientCount: Int {
        switch scenario {
        case .idle, .connect: connections
        case .churn: concurrency + rooms
        case .fanout, .ack, .cross, .failover, .scene: rooms * members
        }
    }
}
