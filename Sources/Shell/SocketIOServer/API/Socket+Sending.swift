public import JSON
public import NIOCore
import SocketIO

extension Socket {
    /// Sends an event to this client.
    public func emit(_ event: String, _ arguments: JSONValue...) {
        emit(event, arguments: arguments)
    }

    /// Sends an event; inside the arguments `JSONValue.attachment(n)` stands for `attachments[n]`.
    public func emit(_ event: String, arguments: [JSONValue], attachments: [ByteBuffer] = []) {
        let text = PacketEncoder.event(
            event, arguments, namespace: namespace.name, attachmentCount: attachments.count)
        transmit(text, attachments)
    }

    /// As `emit`, but dropped if more than `SocketLimits.volatileBufferBytes` are waiting.
    public func emitVolatile(_ event: String, _ arguments: JSONValue...) {
        let text = PacketEncoder.event(event, arguments, namespace: namespace.name)
        transmit(text, [], isVolatile: true)
    }

    /// Sends an event that was encoded once for many; without effect if it was prepared for
    /// another namespace.
    public func send(_ prepared: PreparedEvent) {
        onLoop { $0.deliver(prepared) }
    }

    /// As `send`, but dropped if more than `SocketLimits.volatileBufferBytes` are waiting.
    public func sendVolatile(_ prepared: PreparedEvent) {
        onLoop { $0.deliver(prepared, isVolatile: true) }
    }

    /// Sends an event and waits for the client's answer.
    ///
    /// - Returns: a future on the socket's loop; fails with `AckError`.
    public func emitWithAck(
        _ event: String, _ arguments: JSONValue..., timeout: TimeAmount
    ) -> EventLoopFuture<EventArguments> {
        emitWithAck(event, arguments: arguments, timeout: timeout)
    }

    /// As `emitWithAck(_:_:timeout:)`; inside the arguments `JSONValue.attachment(n)` stands for
    /// `attachments[n]`.
    public func emitWithAck(
        _ event: String, arguments: [JSONValue], attachments: [ByteBuffer] = [],
        timeout: TimeAmount
    ) -> EventLoopFuture<EventArguments> {
        let promise = eventLoop.makePromise(of: EventArguments.self)
        onLoop { socket in
            guard socket.isConnected else { return promise.fail(AckError.disconnected) }
            guard let id = socket.awaitAck(promise, timeout: timeout) else {
                return promise.fail(AckError.tooManyPending)
            }
            let text = PacketEncoder.event(
                event, arguments, namespace: socket.namespace.name, id: id,
                attachmentCount: attachments.count)
            socket.write(text, attachments)
        }
        return promise.futureResult
    }

    /// Sends an encoded packet from any thread.
    func transmit(_ text: [UInt8], _ attachments: [ByteBuffer], isVolatile: Bool = false) {
        onLoop { socket in
            guard socket.isConnected, !isVolatile || socket.takesVolatile else { return }
            socket.write(text, attachments)
        }
    }

    /// On the loop.
    func deliver(_ prepared: PreparedEvent, isVolatile: Bool = false) {
        guard isConnected, prepared.namespace == namespace.name else { return }
        guard !isVolatile || takesVolatile else { return }
        let withOffset = state.value.takesOffset(of: prepared, pid)
        session.send(withOffset ? prepared.messageWithOffset : prepared.message)
    }

    /// On the loop.
    func deliver(_ delivery: LoopDelivery) {
        let state = state.value
        guard state.phase == .connected, delivery.event.namespace == namespace.name else { return }
        guard !delivery.isVolatile || takesVolatile else { return }
        let withOffset = state.takesOffset(of: delivery.event, pid)
        if let serverSession {
            serverSession.send(delivery, withOffset: withOffset)
        } else {
            session.send(delivery.message(withOffset))
        }
    }

    /// Sends events without their offsets from now on: older ones are held back for the client, so
    /// no later place among them is its own.
    ///
    /// - Parameter holder: who will release them, if no other holds them meanwhile.
    package func holdOffsets(_ holder: String) {
        onLoop { socket in
            if socket.state.value.offsetsHolder != holder {
                socket.state.value.hasLeftOutOffset = false
            }
            socket.state.value.offsetsHolder = holder
            socket.serverSession?.leaveAudience()
        }
    }

    /// Sends events with their offsets again.
    ///
    /// - Parameters:
    ///   - holder: who holds them; without effect for another.
    ///   - reminder: tells the client its place if an offset was left out meanwhile.
    package func releaseOffsets(_ holder: String, reminder: PreparedEvent? = nil) {
        onLoop { socket in
            guard socket.state.value.offsetsHolder == holder else { return }
            let isBehind = socket.state.value.hasLeftOutOffset
            socket.state.value.offsetsHolder = nil
            socket.state.value.hasLeftOutOffset = false
            if isBehind, let reminder { socket.deliver(reminder) }
        }
    }

    /// From any thread: calls `body`, on the socket's loop, once the client has received everything
    /// sent so far. Never if the connection ends before.
    package func afterRoundTrip(_ body: @escaping @Sendable () -> Void) {
        onLoop { $0.session.afterRoundTrip(body) }
    }

    /// On the loop.
    func write(_ text: [UInt8], _ attachments: [ByteBuffer]) {
        session.send(.text(ByteBuffer(bytes: text)))
        for attachment in attachments { session.send(.binary(attachment)) }
    }

    /// On the loop: whether it is sent what all are sent.
    var mayListen: Bool { isConnected && (pid == nil || state.value.offsetsHolder == nil) }

    /// On the loop.
    var takesVolatile: Bool { session.bufferedBytes <= limits.volatileBufferBytes }
}
