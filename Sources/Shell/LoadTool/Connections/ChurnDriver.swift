/// Clients that come and go: each connects, joins a room, leaves it, says goodbye, and comes again.
///
///     connect ─▶ join ─▶ joined ─▶ leave ─▶ left ─▶ close ─▶ closed by the server ─▶ connect …
///
/// Each room has a keeper, so that it is there.
final class ChurnDriver: LoadDriver {
    private enum State { case away, connecting, joining, leaving, closing, kept }

    let plan: LoadPlan
    let loop: ClientLoop
    let control: RunControl
    var tally = Tally()
    var failure: LoadError?

    /// Rooms of this thread, by their number in the run; the keeper of each has its place as tag.
    private let rooms: [Int]
    private var states: [State]
    private var active = 0
    private var hasBegun = false
    private var now: Int64 = 0
    private var window = RunControl.Window(start: .max, end: .max)

    init(plan: LoadPlan, thread: Int, loop: ClientLoop, control: RunControl) {
        self.plan = plan
        self.loop = loop
        self.control = control
        rooms = (0..<plan.rooms).filter { $0 % plan.threads == thread }
        let visitors = (0..<plan.concurrency).count { $0 % plan.threads == thread }
        states = Array(repeating: .away, count: rooms.count + visitors)
    }

    var isDone: Bool { hasBegun && now >= window.end && active == 0 }

    func tick(now: Int64) -> Int64 {
        self.now = now
        guard let start = control.start else {
            for tag in rooms.indices where states[tag] == .away && failure == nil { connect(tag) }
            return now + 5 * MonotonicClock.millisecond
        }
        guard now >= start else { return start }
        if !hasBegun {
            hasBegun = true
            window = control.window(from: start)
            for tag in rooms.count..<states.count where failure == nil { connect(tag) }
        }
        return now < window.end ? window.end : .max
    }

    private func connect(_ tag: Int) {
        let room = tag % rooms.count
        do {
            _ = try loop.open(
                server: tag % loop.servers.count, tag: tag, group: room,
                number: rooms[room] + tag)
            states[tag] = .connecting
            if tag >= rooms.count { active += 1 }
        } catch {
            failure = failure ?? error
        }
    }

    // MARK: A client's way

    func opened(_ connection: Connection, now: Int64) {
        let isKeeper = connection.tag < rooms.count
        let opens = isKeeper && plan.contract.create != nil
        states[connection.tag] = .joining
        emit(
            opens ? plan.contract.create : plan.contract.join,
            opens ? plan.contract.created : plan.contract.joined, connection)
    }

    /// Emits, and goes on at once where nothing confirms it.
    private func emit(
        _ template: EventTemplate?, _ confirmation: ServerContract.Confirmation,
        _ connection: Connection
    ) {
        guard let template else { return confirmed(connection) }
        let values: [EventTemplate.Place: [UInt8]] = [
            .room: Array(plan.roomName(rooms[connection.group]).utf8),
            .user: Array("user-\(connection.tag)".utf8),
            .scene: ServerContract.scene(objects: []),
        ]
        let id = confirmation == .acknowledgement ? "1" : ""
        loop.send(template.render(values, acknowledgement: id).packet, on: connection)
        if confirmation == .none { confirmed(connection) }
    }

    private func confirmed(_ connection: Connection) {
        let tag = connection.tag
        switch states[tag] {
        case .joining where tag < rooms.count:
            states[tag] = .kept
            control.ready.add(1, ordering: .relaxed)
        case .joining:
            states[tag] = .leaving
            emit(plan.contract.leave, plan.contract.left, connection)
        case .leaving:
            states[tag] = .closing
            loop.finish(connection)
        case .away, .connecting, .closing, .kept: break
        }
    }

    func received(_ packet: UnsafeRawBufferPointer, on connection: Connection, now: Int64) {
        let expected: ServerContract.Confirmation
        switch states[connection.tag] {
        case .joining:
            let opens = connection.tag < rooms.count && plan.contract.create != nil
            expected = opens ? plan.contract.created : plan.contract.joined
        case .leaving: expected = plan.contract.left
        case .away, .connecting, .closing, .kept: return
        }
        if packet.count > 1, packet[1] == UInt8(ascii: "3") {
            if expected == .acknowledgement { confirmed(connection) }
            return
        }
        guard let event = ServerEvent(packet) else { return }
        if case .event(let name) = expected, event.isNamed(name) { return confirmed(connection) }
        if event.isRefusal {
            failure = failure ?? .failed(Refusal.describe(event: event.text))
        }
    }

    func closed(_ connection: Connection, _ reason: CloseReason, now: Int64) {
        guard states[connection.tag] == .closing else {
            failure = failure ?? Refusal.describe(reason, server: loop.servers[connection.server])
            return
        }
        active -= 1
        if window.contains(now) {
            tally.cycles += 1
            tally.record(latency: now - connection.startedAt)
        }
        control.deliveries.add(1, ordering: .relaxed)
        states[connection.tag] = .away
        if now < window.end, failure == nil { connect(connection.tag) }
    }
}
