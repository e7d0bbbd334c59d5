import Glibc
import JSON

/// Rooms of members, some of whom send: `fanout`, `ack`, `cross`, `failover`, `scene`.
///
///     connect all ─▶ join all ─▶ settle, warm up, measure ─▶ wait for what is under way
///
/// All members of a room are on one thread, so nothing that a delivery touches is shared. A
/// member's tag is `room * members + place`; the first `senders` places of a room send.
final class RoomDriver: LoadDriver {
    let plan: LoadPlan
    let loop: ClientLoop
    let control: RunControl
    /// Rooms of this thread, by their number in the run.
    let rooms: [Int]
    var tally = Tally()
    var failure: LoadError?

    // Traffic: RoomDriver+Traffic.swift
    var checker: SequenceChecker
    var finder = MarkerFinder()
    var senders: [Sender] = []
    /// Of messages under way in a closed loop: receivers that have not had it.
    var remaining: [UInt32]
    let slotShift: Int
    let slotMask: UInt32
    let deliveryPrefix: [UInt8]
    let wholePrefix: [UInt8]
    /// Deliveries and acknowledgements that are still to come.
    var outstanding = 0
    var unacknowledged = 0
    var schedule: OpenLoopSchedule?
    var nextScheduled = 0
    /// Scenes that wait for their pause to end, by sender.
    var paused: [(sender: Int, time: Int64)] = []
    /// What follows the marker of a scene.
    let filler: [UInt8]
    var hasBegun = false
    var window = RunControl.Window(start: .max, end: .max)
    var lastProgress: Int64 = 0
    /// After the window nothing has come for too long.
    private var hasGivenUp = false
    var unpublished = (deliveries: 0, sent: 0)

    // Getting ready: RoomDriver+Joining.swift
    var members: [Member]
    var waiting: [Int] = []
    var nextWaiting = 0
    var inProgress = 0
    var readyCount = 0

    /// Coming back after a kill: RoomDriver+Returning.swift
    var returns = Returns()

    /// One who sends.
    struct Sender {
        var tag: Int
        /// The packet, whose marker is written anew for each message.
        var packet: [UInt8] = []
        var markerStart = 0
        /// The number of the next message; how many were sent.
        var next: UInt32 = 0
        /// Of each message, whether it was acknowledged; kept where that is asked for.
        var acknowledged: [Bool] = []
        /// When each message was to be sent; kept where acknowledgements are asked for.
        var times: [Int64] = []
        var highestAcknowledged = -1
        /// When the last scene was sent.
        var lastSent: Int64?
    }

    init(
        plan: LoadPlan, rooms: [Int], loop: ClientLoop, control: RunControl
    ) throws(LoadError) {
        self.plan = plan
        self.loop = loop
        self.control = control
        self.rooms = rooms
        let memberCount = rooms.count * plan.members
        checker = SequenceChecker(streams: memberCount * plan.senders)
        var shift = 0
        while 1 << shift < plan.inFlight { shift += 1 }
        slotShift = shift
        slotMask = UInt32(1) << UInt32(shift) - 1
        remaining = Array(repeating: 0, count: (rooms.count * plan.senders) << shift)
        members = Array(repeating: Member(), count: memberCount)
        deliveryPrefix = Self.prefix(of: plan.contract.receive)
        wholePrefix = plan.contract.whole.map { Self.prefix(of: $0) } ?? []
        let payload = Payload(bytes: plan.bytes, seed: plan.seed).bytes
        filler = Array(payload[Marker.byteCount...])
        try prepareSenders(payload)
        prepareMembers()
    }

    private static func prefix(of name: String) -> [UInt8] {
        Array("42".utf8) + [UInt8(ascii: "[")] + JSONValue.string(name).encoded
            + [UInt8(ascii: ",")]
    }

    private func prepareSenders(_ payload: [UInt8]) throws(LoadError) {
        for room in 0..<rooms.count {
            for place in 0..<plan.senders {
                let number = rooms[room] * plan.senders + place
                var values = values(room: room, place: place)
                values[.uuid] = Array(LoadPlan.uuid(ofSender: number).utf8)
                values[.payload] = payload
                let (packet, start) = plan.contract.emit.render(
                    values, acknowledgement: plan.asksForAcknowledgements ? "1000000000" : "")
                guard let start else {
                    throw .usage("--emit: the event has no {payload}, so nothing can be checked")
                }
                senders.append(
                    Sender(tag: room * plan.members + place, packet: packet, markerStart: start))
            }
        }
    }

    /// What fills the places of a member's events.
    func values(room: Int, place: Int) -> [EventTemplate.Place: [UInt8]] {
        [
            .room: Array(plan.roomName(rooms[room]).utf8),
            .user: Array("user-\(rooms[room])-\(place)".utf8),
        ]
    }

    // MARK: LoadDriver

    var isDone: Bool {
        guard hasBegun, lastProgress >= window.end else { return false }
        if hasGivenUp { return true }
        if let schedule, schedule.time(of: nextScheduled) < window.end { return false }
        if plan.scenario == .failover { return returns.isSettled }
        return outstanding == 0 && unacknowledged == 0
    }

    func received(_ packet: UnsafeRawBufferPointer, on connection: Connection, now: Int64) {
        if packet.count > deliveryPrefix.count, let base = packet.baseAddress,
            memcmp(base, deliveryPrefix, deliveryPrefix.count) == 0
        {
            deliver(packet, connection, now)
        } else {
            receivedOther(packet, connection, now)
        }
    }

    func tick(now: Int64) -> Int64 {
        publish()
        guard let start = control.start else {
            connectWaiting()
            return now + 5 * MonotonicClock.millisecond
        }
        if !hasBegun {
            guard now >= start else { return start }
            begin(at: start, now: now)
        }
        let due = sendDue(now)
        let returning = plan.scenario == .failover ? tickReturns(now) : .max
        if now >= window.end { checkPatience(now) }
        return min(due, returning)
    }

    /// What is shown while the run goes on.
    private func publish() {
        control.deliveries.add(unpublished.deliveries, ordering: .relaxed)
        control.sent.add(unpublished.sent, ordering: .relaxed)
        unpublished = (0, 0)
    }

    /// At the end of the window, what has not come for a while will not.
    private func checkPatience(_ now: Int64) {
        lastProgress = max(lastProgress, window.end)
        let patience = Int64(plan.limits.drainPatience) * MonotonicClock.second
        if now - lastProgress > patience { hasGivenUp = true }
    }

    /// Counts what is missing, once all is over.
    func finish() {
        for (index, sender) in senders.enumerated() {
            let room = index / plan.senders
            let place = index % plan.senders
            for receiver in 0..<plan.members where receiver != place || plan.echo {
                let stream = (room * plan.members + receiver) * plan.senders + place
                tally.missing +=
                    plan.scenario == .failover
                    ? checker.missing(of: stream, sent: sender.next) { number in
                        sender.acknowledged[Int(number)]
                    }
                    : checker.missing(of: stream, sent: sender.next)
            }
        }
        tally.duplicate = checker.duplicates
        tally.outOfOrder = checker.outOfOrder
        if plan.scenario != .failover { tally.unacknowledged = unacknowledged }
        tally.wholeAt = returns.wholeAt
    }
}

/// The text that makes a message as long as asked: a marker's room, and filler.
struct Payload {
    let bytes: [UInt8]

    init(bytes count: Int, seed: UInt64) {
        var numbers = SeededNumbers(seed: seed)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        bytes = (0..<max(Marker.byteCount, count)).map { index in
            index < Marker.byteCount
                ? UInt8(ascii: "0") : alphabet[Int(numbers.next() >> 33) % alphabet.count]
        }
    }
}
