import JSON
import NIOConcurrencyHelpers
import NIOCore
import SocketIOServer

/// An event from another server, or from an emitter, for the application of this one.
package struct ServerSideEvent: Sendable {
    package let name: String
    package let arguments: [JSONText]
    /// Present if the sender waits for an answer; the first call counts. From any thread.
    package let respond: (@Sendable (JSONValue) -> Void)?
}

package typealias ServerSideHandler = @Sendable (ServerSideEvent) -> Void

/// What other servers ask; on the client's loop.
extension RelayAdapter {
    /// Calls `handler`, on the client's loop, for each event that other servers emit to servers.
    package func onServerSideEmit(_ handler: @escaping ServerSideHandler) {
        serverSideHandlers.withLockedValue { $0.append(handler) }
    }

    func answer(_ request: RelayRequest) {
        switch request.body {
        case .sockets(let rooms):
            let target = BroadcastTarget(rooms: rooms.isEmpty ? nil : rooms)
            collect(target) { JSONValue.string($0.id).json }.whenSuccess { ids in
                self.respond(to: request) { $0.sockets = ids }
            }
        case .allRooms: respond(to: request) { $0.rooms = rooms.names }
        case .join(let selection, let rooms):
            change(selection, request) { socket in rooms.forEach(socket.join) }
        case .leave(let selection, let rooms):
            change(selection, request) { socket in rooms.forEach(socket.leave) }
        case .disconnect(let selection, let closesTransport):
            change(selection, request) { Self.disconnect($0, closesTransport: closesTransport) }
        case .fetch(let target):
            collect(target) { RemoteSocket($0).json }.whenSuccess { sockets in
                self.respond(to: request) { $0.sockets = sockets }
            }
        case .serverSideEmit(let event, let arguments):
            serverSideEvent(event, arguments, request)
        case .broadcast(let event): acknowledge(event, request)
        }
    }

    static func disconnect(_ socket: Socket, closesTransport: Bool) {
        socket.disconnect()
        if closesTransport { socket.closeTransport(.forcedClose) }
    }

    /// Only a request about one socket is answered, by the server that has it.
    private func change(
        _ selection: RelayRequest.Selection, _ request: RelayRequest,
        _ body: @escaping @Sendable (Socket) -> Void
    ) {
        let done: EventLoopFuture<Void>
        switch selection {
        case .target(let target): done = visit(target, body)
        case .socket(let id):
            done = visit(BroadcastTarget(rooms: [id])) { socket in
                guard socket.id == id else { return }
                body(socket)
                self.respond(to: request) { _ in }
            }
        }
        order.value.hold()
        done.whenComplete { _ in self.order.value.release() }
    }

    private func serverSideEvent(
        _ name: String, _ arguments: [JSONText], _ request: RelayRequest
    ) {
        var respond: (@Sendable (JSONValue) -> Void)?
        if request.id != nil {
            let isUsed = NIOLockedValueBox(false)
            respond = { value in
                let wasUsed = isUsed.withLockedValue { used in
                    defer { used = true }
                    return used
                }
                guard !wasUsed else { return }
                self.respond(to: request) { response in
                    response.type = .serverSideEmit
                    response.data = value.json
                }
            }
        }
        let event = ServerSideEvent(name: name, arguments: arguments, respond: respond)
        for handler in serverSideHandlers.withLockedValue({ $0 }) { handler(event) }
    }

    private func acknowledge(_ event: BroadcastToAcknowledge, _ request: RelayRequest) {
        guard event.namespace == namespace else { return }
        let longest = options.limits.maxAcknowledgementTimeout
        let asked = event.timeoutMilliseconds.map {
            TimeAmount.milliseconds(min(max($0, 0), longest.nanoseconds / 1_000_000))
        }
        emit(
            event, timeout: asked ?? options.limits.requestTimeout,
            onCount: { count in
                self.respond(to: request) { response in
                    response.type = .broadcastClientCount
                    response.clientCount = count
                }
            },
            onAnswer: { answer in
                self.respond(to: request) { response in
                    response.type = .broadcastAck
                    response.acknowledgement = answer
                }
            })
    }

    /// Sends an event to each socket here that the target names. `onCount` is told how many those
    /// are, `onAnswer` what each of them answers in time.
    func emit(
        _ event: BroadcastToAcknowledge, timeout: TimeAmount,
        onCount: @escaping @Sendable (Int) -> Void,
        onAnswer: @escaping @Sendable (EventArguments) -> Void
    ) {
        let count = NIOLockedValueBox(0)
        visit(event.target) { socket in
            count.withLockedValue { $0 += 1 }
            socket.emitWithAck(
                event.event, arguments: event.arguments, attachments: event.attachments,
                timeout: timeout
            ).whenSuccess(onAnswer)
        }.whenComplete { _ in onCount(count.withLockedValue { $0 }) }
    }

    private func respond(
        to request: RelayRequest, _ fill: (inout RelayResponse) -> Void
    ) {
        guard let id = request.id else { return }
        var response = RelayResponse(id: id)
        fill(&response)
        var channel = channels.response
        // The official adapter answers these on the channel of all even then.
        if options.respondsDirectly, response.type != .serverSideEmit, let uid = request.uid {
            channel = channels.response(for: uid)
        }
        publish(response.encoded, on: channel)
    }
}
