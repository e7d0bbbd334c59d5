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
        session.send(prepared.message)
    }

    /// On the loop.
    func write(_ text: [UInt8], _ attachments: [ByteBuffer]) {
        session.send(.text(ByteBuffer(bytes: text)))
        for attachment in attachments { session.send(.binary(attachment)) }
    }

    /// On the loop.
    var takesVolatile: Bool { session.bufferedBytes <= limits.volatileBufferBytes }
}
