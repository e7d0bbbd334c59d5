import Glibc

extension RoomDriver {
    /// Where a member is on its way into its room.
    struct Member {
        enum State { case away, connecting, joining, ready }

        var state = State.away
        var connection: Connection?
        var isReady: Bool { state == .ready }
        /// Of the last connection; the next one goes to the one after.
        var server = 0
        var cookie: String?
        var lastDelivery: Int64 = 0
    }

    private static let joinID = "1"

    /// Those who open a room first, then each room's others as it is open.
    func prepareMembers() {
        for tag in members.indices {
            members[tag].server = plan.server(ofPlace: tag % plan.members)
        }
        waiting =
            plan.contract.create == nil
            ? Array(members.indices) : rooms.indices.map { $0 * plan.members }
    }

    /// Connects members, so many at a time.
    func connectWaiting() {
        let most = max(1, plan.concurrency / plan.threads)
        while inProgress < most, nextWaiting < waiting.count, failure == nil {
            connect(waiting[nextWaiting])
            nextWaiting += 1
        }
    }

    func connect(_ tag: Int, query: String = "") {
        let room = tag / plan.members
        do {
            let connection = try loop.open(
                server: members[tag].server, tag: tag, group: room,
                number: rooms[room] * plan.members + tag % plan.members, query: query,
                cookie: members[tag].cookie)
            members[tag].connection = connection
            members[tag].state = .connecting
            inProgress += 1
        } catch {
            failure = failure ?? error
        }
    }

    func opened(_ connection: Connection, now: Int64) {
        let tag = connection.tag
        members[tag].cookie = connection.cookie
        if returns.isReturning(tag) { return openedAgain(tag, now) }
        join(tag)
    }

    /// Sends what brings a member into its room.
    func join(_ tag: Int) {
        guard let connection = members[tag].connection else { return }
        let opens = tag % plan.members == 0 && plan.contract.create != nil && !hasBegun
        let template = opens ? plan.contract.create : plan.contract.join
        guard let template else { return ready(tag) }
        let confirmation = opens ? plan.contract.created : plan.contract.joined
        members[tag].state = .joining
        var values = values(room: connection.group, place: tag % plan.members)
        if opens { values[.scene] = scene(ofRoom: connection.group) }
        let asks = confirmation == .acknowledgement
        loop.send(
            template.render(values, acknowledgement: asks ? Self.joinID : "").packet,
            on: connection)
        if confirmation == .none { ready(tag) }
    }

    /// The scene of a new room has the objects that its senders change.
    private func scene(ofRoom room: Int) -> [UInt8] {
        let first = rooms[room] * plan.senders
        let objects = (0..<plan.senders).map {
            (uuid: LoadPlan.uuid(ofSender: first + $0), load: "")
        }
        return ServerContract.scene(objects: objects)
    }

    private func ready(_ tag: Int) {
        guard members[tag].state != .ready else { return }
        members[tag].state = .ready
        inProgress -= 1
        if returns.isReturning(tag) { return hasReturned(tag) }
        readyCount += 1
        control.ready.add(1, ordering: .relaxed)
        if tag % plan.members == 0, plan.contract.create != nil {
            waiting += (tag + 1)..<(tag + plan.members)
        }
        connectWaiting()
    }

    /// All that is no delivery.
    func receivedOther(
        _ packet: UnsafeRawBufferPointer, _ connection: Connection, _ now: Int64
    ) {
        let tag = connection.tag
        if packet.count > 3, packet[1] == UInt8(ascii: "3") {
            if members[tag].state == .joining, packet[2] == UInt8(ascii: "1"),
                packet[3] == UInt8(ascii: "[")
            {
                ready(tag)
            } else {
                acknowledged(packet, connection, now)
            }
            return
        }
        if plan.scenario == .failover, packet.count > wholePrefix.count,
            let base = packet.baseAddress,
            memcmp(base, wholePrefix, wholePrefix.count) == 0
        {
            return caughtUp(packet, tag, now)
        }
        if packet.count > 1, packet[1] == UInt8(ascii: "1") {
            loop.drop(connection)
            return closed(connection, .server(code: nil), now: now)
        }
        guard let event = ServerEvent(packet) else { return }
        if members[tag].state == .joining, isConfirmation(event, tag) { return ready(tag) }
        if event.isRefusal { refusedEvent(event.text, tag, now) }
    }

    private func isConfirmation(_ event: ServerEvent, _ tag: Int) -> Bool {
        let opens = tag % plan.members == 0 && plan.contract.create != nil && !hasBegun
        guard case .event(let name) = opens ? plan.contract.created : plan.contract.joined
        else { return false }
        return event.isNamed(name)
    }

    private func refusedEvent(_ text: String, _ tag: Int, _ now: Int64) {
        guard returns.isReturning(tag) else { return refused(text) }
        tally.refusal = tally.refusal ?? text
        refusedToReturn(tag, now)
    }

    func closed(_ connection: Connection, _ reason: CloseReason, now: Int64) {
        guard members[connection.tag].connection === connection else { return }
        if plan.scenario == .failover, hasBegun {
            return lost(connection, reason, now)
        }
        failure = failure ?? Refusal.describe(reason, server: loop.servers[connection.server])
    }
}
