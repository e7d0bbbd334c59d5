import Glibc

extension RoomDriver {
    // MARK: Sending

    func begin(at start: Int64, now: Int64) {
        hasBegun = true
        window = control.window(from: start)
        lastProgress = now
        guard !senders.isEmpty else { return }
        if let rate = plan.rate {
            schedule = OpenLoopSchedule(start: start, senders: senders.count, rate: rate)
            return
        }
        for _ in 0..<plan.inFlight {
            for sender in senders.indices { send(sender, at: MonotonicClock.now()) }
        }
    }

    /// Sends what the schedule has due.
    ///
    /// - Returns: when the next is due.
    func sendDue(_ now: Int64) -> Int64 {
        if now >= window.end { lastProgress = max(lastProgress, window.end) }
        guard let schedule else { return sendPaused(now) }
        var time = schedule.time(of: nextScheduled)
        // Receiving has its turn after a while, also when the schedule is far behind.
        var left = 256
        while time <= now, time < window.end, left > 0 {
            send(schedule.sender(of: nextScheduled), at: time)
            nextScheduled += 1
            left -= 1
            time = schedule.time(of: nextScheduled)
        }
        return time < window.end ? time : window.end > now ? window.end : .max
    }

    private func sendPaused(_ now: Int64) -> Int64 {
        for (sender, time) in paused where time <= now && now < window.end {
            send(sender, at: MonotonicClock.now())
        }
        paused.removeAll { $0.time <= now }
        return min(paused.map(\.time).min() ?? .max, window.end > now ? window.end : .max)
    }

    /// Sends a sender's next message.
    ///
    /// - Parameter time: from which its latency counts.
    func send(_ index: Int, at time: Int64) {
        guard let connection = members[senders[index].tag].connection,
            members[senders[index].tag].isReady
        else { return }
        let number = senders[index].next
        senders[index].next = number &+ 1
        let marker = Marker(
            sender: rooms[index / plan.senders] * plan.senders + index % plan.senders,
            sequence: number, time: time)
        let start = senders[index].markerStart
        senders[index].packet.withUnsafeMutableBytes { packet in
            marker.write(into: UnsafeMutableRawBufferPointer(rebasing: packet[start...]))
        }
        if plan.scenario == .scene { senders[index].lastSent = time }
        if plan.asksForAcknowledgements { askForAcknowledgement(index, number, time) }
        expectDeliveries(index, number)
        if window.contains(time) { tally.sent += 1 }
        unpublished.sent += 1
        loop.send(senders[index].packet, on: connection)
    }

    private func expectDeliveries(_ index: Int, _ number: UInt32) {
        outstanding += plan.receivers
        if plan.countsAcknowledgements || schedule != nil { return }
        remaining[index << slotShift | Int(number & slotMask)] = UInt32(plan.receivers)
    }

    /// The packet's id is 1,000,000,000 and the message's number: always ten digits.
    private func askForAcknowledgement(_ index: Int, _ number: UInt32, _ time: Int64) {
        unacknowledged += 1
        senders[index].times.append(time)
        senders[index].acknowledged.append(false)
        var rest = number
        senders[index].packet.withUnsafeMutableBytes { packet in
            for position in stride(from: 11, to: 2, by: -1) {
                packet[position] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
        }
    }

    // MARK: Receiving

    /// A message of some sender has come to a member.
    @inline(__always)
    func deliver(_ packet: UnsafeRawBufferPointer, _ connection: Connection, _ now: Int64) {
        guard let marker = finder.find(packet) else {
            // The scene that a member gets on joining has none yet.
            if plan.scenario != .scene { tally.unmarked += 1 }
            return
        }
        if plan.scenario == .scene, !isWhole(packet) { tally.corrupted += 1 }
        let room = connection.group
        let place = marker.sender &- rooms[room] &* plan.senders
        guard place >= 0, place < plan.senders else {
            tally.misdirected += 1
            return
        }
        if !plan.echo, connection.tag == room * plan.members + place {
            // Who came back is sent his own edits too that the scene he was sent had not yet.
            if plan.scenario != .failover { tally.misdirected += 1 }
            return
        }
        let sender = room * plan.senders + place
        let stream = connection.tag * plan.senders + place
        switch checker.received(marker.sequence, stream: stream) {
        case .inOrder: settle(sender, marker.sequence, 1)
        case .gap(let skipped):
            // Nothing waits for those that may never come.
            for number in (marker.sequence - UInt32(skipped))...marker.sequence {
                settle(sender, number, 1)
            }
        case .late, .duplicate: break
        }
        lastProgress = now
        unpublished.deliveries += 1
        guard window.contains(now) else { return }
        tally.deliveries += 1
        if !plan.countsAcknowledgements { tally.record(latency: now - marker.time) }
        if plan.scenario == .failover { noteSilence(connection.tag, now) }
    }

    /// A receiver has had a message, or will not have it; with the last one, the sender's next
    /// message goes out.
    @inline(__always)
    private func settle(_ sender: Int, _ number: UInt32, _ count: UInt32) {
        outstanding -= 1
        if plan.countsAcknowledgements || schedule != nil { return }
        let slot = sender << slotShift | Int(number & slotMask)
        guard remaining[slot] > 0 else { return }
        remaining[slot] -= count
        if remaining[slot] == 0 { sendNext(sender) }
    }

    private func sendNext(_ sender: Int) {
        let now = MonotonicClock.now()
        guard now < window.end else { return }
        guard plan.scenario == .scene else { return send(sender, at: now) }
        let interval = (senders[sender].lastSent ?? now) + plan.sceneInterval
        paused.append((sender, max(interval, now + plan.timeToApplyScene)))
    }

    /// Whether the scene's payload is what was sent, to the last byte.
    private func isWhole(_ packet: UnsafeRawBufferPointer) -> Bool {
        let start = finder.position + Marker.byteCount
        let end = start + filler.count
        guard end < packet.count, packet[end] == UInt8(ascii: "\""), let base = packet.baseAddress
        else { return false }
        return memcmp(base + start, filler, filler.count) == 0
    }

    // MARK: Acknowledgements

    /// `43` and the packet's id, then the arguments.
    func acknowledged(_ packet: UnsafeRawBufferPointer, _ connection: Connection, _ now: Int64) {
        let place = connection.tag % plan.members
        guard packet.count > 12, place < plan.senders else { return }
        var number = 0
        for digit in packet[3..<12] { number = number * 10 + Int(digit) - Int(UInt8(ascii: "0")) }
        let sender = connection.group * plan.senders + place
        guard number >= 0, number < senders[sender].acknowledged.count,
            !senders[sender].acknowledged[number]
        else { return }
        unacknowledged -= 1
        lastProgress = now
        if Self.isRefusal(packet) {
            refused(String(decoding: packet.dropFirst(12).prefix(300), as: UTF8.self))
        } else {
            senders[sender].acknowledged[number] = true
            senders[sender].highestAcknowledged = max(senders[sender].highestAcknowledged, number)
        }
        if window.contains(now) {
            tally.acknowledged += 1
            if plan.countsAcknowledgements {
                tally.record(latency: now - senders[sender].times[number])
            }
        }
        if plan.countsAcknowledgements, schedule == nil { sendNext(sender) }
    }

    private static let notOK = Array("\"ok\":false".utf8)

    private static func isRefusal(_ packet: UnsafeRawBufferPointer) -> Bool {
        let start = UnsafeRawBufferPointer(rebasing: packet.prefix(120))
        return ByteSearch.find(notOK, in: start) != nil
    }

    /// An event of the server that says no. What was refused is missing, so this ends the run.
    func refused(_ text: String) {
        tally.refused += 1
        tally.refusal = tally.refusal ?? text
        if plan.scenario != .failover {
            failure = failure ?? .failed(Refusal.describe(event: text))
        }
    }
}
