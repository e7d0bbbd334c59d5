import JSON
import NIOCore
import SocketIO

/// What the connection tells its sockets; all on the loop.
extension Socket {
    /// The client is in; from here on the socket sends and receives.
    func connected() {
        state.value.phase = .connected
        namespace.adapter.add(self)
        let answer = PacketEncoder.connect(
            sid: id, pid: pid, namespace: namespace.name, revision: connection.revision)
        session.send(.text(ByteBuffer(bytes: answer)))
        for handler in namespace.connectionHandlers { handler(self) }
    }

    func receivedEvent(_ packet: Packet) {
        guard isConnected else { return }
        guard let elements = packet.payload?.elements(atMost: limits.maxArguments + 1),
            let name = elements.first
        else {
            let byteCount = packet.payload?.bytes.count ?? 0
            return discardedMessage(DiscardedPacket(packet), byteCount: byteCount)
        }
        let event = SocketEvent(
            name: name.string ?? name.text,
            arguments: EventArguments(
                Array(elements.dropFirst()), attachments: packet.attachments.map(ByteBuffer.init)),
            acknowledge: packet.id.map { Acknowledgement(socket: self, id: $0) })
        let delegate = state.value.delegate
        if let handlers = state.value.handlers {
            for handler in handlers.any { handler(event) }
            let chosen = handlers.named[event.name] ?? handlers.unhandled
            for handler in chosen where isConnected { handler(event) }
        }
        if let delegate, isConnected { delegate.socket(self, received: event) }
    }

    func receivedAck(_ packet: Packet) {
        guard let elements = packet.payload?.elements(atMost: limits.maxArguments) else {
            return session.close(.parseError)
        }
        guard let id = packet.id, let promise = state.value.acks.resolve(id) else { return }
        promise.succeed(
            EventArguments(elements, attachments: packet.attachments.map(ByteBuffer.init)))
    }

    func discardedMessage(_ packet: DiscardedPacket, byteCount: Int) {
        guard isConnected else { return }
        let message = OversizedMessage(
            byteCount: byteCount, event: packet.event,
            acknowledge: packet.id.map { Acknowledgement(socket: self, id: $0) })
        for handler in state.value.handlers?.oversized ?? [] { handler(message) }
        state.value.delegate?.socket(self, dropped: message)
    }

    func backedUp() {
        for handler in state.value.handlers?.backedUp ?? [] { handler() }
        state.value.delegate?.socketBackedUp(self)
    }

    func becameWritable() {
        for handler in state.value.handlers?.writable ?? [] { handler() }
        state.value.delegate?.socketBecameWritable(self)
    }

    /// The end: out of the rooms, acks failed, handlers told and let go. Once.
    func disconnected(_ reason: DisconnectReason) {
        guard isConnected else { return }
        namespace.adapter.remove(self)
        state.value.phase = .disconnected(reason)
        state.value.ackTimer?.task.cancel()
        state.value.ackTimer = nil
        let promises = state.value.acks.removeAll()
        let handlers = state.value.handlers?.disconnect ?? []
        let delegate = state.value.delegate
        state.value.dropHandlers()
        for promise in promises { promise.fail(AckError.disconnected) }
        for handler in handlers { handler(reason) }
        delegate?.socket(self, disconnected: reason)
        state.value.user = nil
    }

    /// Keeps the promise until the ack comes or `timeout` is over. Nil if too many are pending.
    func awaitAck(
        _ promise: EventLoopPromise<EventArguments>, timeout: TimeAmount
    ) -> UInt64? {
        let deadline = eventLoop.now + timeout
        guard let id = state.value.acks.register(promise, deadline: deadline.sinceStart) else {
            return nil
        }
        scheduleAckTimer()
        return id
    }

    private func scheduleAckTimer() {
        guard let next = state.value.acks.nextDeadline else { return }
        if let timer = state.value.ackTimer {
            guard next < timer.at else { return }
            timer.task.cancel()
        }
        let task = eventLoop.scheduleTask(deadline: NIODeadline(sinceStart: next)) {
            self.ackTimerFired()
        }
        state.value.ackTimer = (next, task)
    }

    private func ackTimerFired() {
        state.value.ackTimer = nil
        let expired = state.value.acks.expire(now: eventLoop.now.sinceStart)
        scheduleAckTimer()
        for promise in expired { promise.fail(AckError.timeout) }
    }
}

extension NIODeadline {
    /// Time since the origin of the monotonic clock.
    var sinceStart: Duration { .nanoseconds(Int64(clamping: uptimeNanoseconds)) }

    init(sinceStart duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .uptimeNanoseconds(
            UInt64(clamping: seconds) &* 1_000_000_000
                &+ UInt64(clamping: attoseconds / 1_000_000_000))
    }
}
