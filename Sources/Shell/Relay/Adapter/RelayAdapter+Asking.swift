import JSON
import NIOCore
import Redis
import SocketIOServer

/// What this process asks of all servers of its namespace, itself included. From any thread;
/// futures are on the client's loop and do not fail: without Redis the answer is that of this
/// process alone, said to be incomplete.
extension RelayAdapter {
    /// Makes the sockets of all servers join rooms. The future succeeds when those here have.
    @discardableResult
    package func socketsJoin(
        _ rooms: [String], in target: BroadcastTarget
    ) -> EventLoopFuture<Void> {
        tell(.join(.target(target), rooms: rooms), target)
        return visit(target) { socket in rooms.forEach(socket.join) }
    }

    /// Makes the sockets of all servers leave rooms. The future succeeds when those here have.
    @discardableResult
    package func socketsLeave(
        _ rooms: [String], in target: BroadcastTarget
    ) -> EventLoopFuture<Void> {
        tell(.leave(.target(target), rooms: rooms), target)
        return visit(target) { socket in rooms.forEach(socket.leave) }
    }

    /// Takes the sockets of all servers out of the namespace, or closes their connections. The
    /// future succeeds when those here are out.
    @discardableResult
    package func disconnectSockets(
        in target: BroadcastTarget, closesTransport: Bool = false
    ) -> EventLoopFuture<Void> {
        tell(.disconnect(.target(target), closesTransport: closesTransport), target)
        return visit(target) { Self.disconnect($0, closesTransport: closesTransport) }
    }

    /// Tells the applications of the other servers of an event.
    package func serverSideEmit(_ event: String, _ arguments: [JSONValue]) {
        tell(.serverSideEmit(event: event, arguments: arguments.map(\.json)))
    }

    /// As `serverSideEmit`; each other server answers with one value.
    package func serverSideEmitWithAnswers(
        _ event: String, _ arguments: [JSONValue]
    ) -> EventLoopFuture<RelayAnswers<JSONText>> {
        ask(
            .serverSideEmit(event: event, arguments: arguments.map(\.json)),
            own: client.eventLoop.makeSucceededFuture([])
        ) { [$0.data ?? .null] }
    }

    /// How many servers listen to the namespace; nil without Redis.
    package func serverCount() -> EventLoopFuture<Int?> {
        client.send(["PUBSUB", "NUMSUB", RESPArgument(channels.request)])
            .map { $0.array?.last?.int.flatMap { Int(exactly: $0) } }
            .recover { _ in nil }
            .hop(to: client.eventLoop)
    }

    /// The rooms of all servers, ids of sockets included.
    package func allRooms() -> EventLoopFuture<RelayAnswers<String>> {
        ask(.allRooms, own: client.eventLoop.makeSucceededFuture(rooms.names)) { $0.rooms }
            .map { RelayAnswers(Set($0.values).sorted(), isComplete: $0.isComplete) }
    }

    /// The sockets of all servers that the target names.
    package func fetchSockets(
        in target: BroadcastTarget
    ) -> EventLoopFuture<RelayAnswers<RemoteSocket>> {
        ask(.fetch(target), own: collect(target) { RemoteSocket($0) }) { response in
            response.sockets?.compactMap { RemoteSocket($0) }
        }
    }

    /// Sends an event to sockets of all servers and collects what their clients answer in time.
    package func broadcastWithAnswers(
        _ event: String, _ arguments: [JSONValue], attachments: [ByteBuffer] = [],
        to target: BroadcastTarget, timeout: TimeAmount
    ) -> EventLoopFuture<RelayAnswers<EventArguments>> {
        let event = BroadcastToAcknowledge(
            namespace: namespace, event: event, arguments: arguments, attachments: attachments,
            target: target, timeoutMilliseconds: timeout.nanoseconds / 1_000_000)
        let promise = client.eventLoop.makePromise(of: RelayAnswers<EventArguments>.self)
        serverCount().whenSuccess { self.collectAnswers(event, timeout, servers: $0, promise) }
        return promise.futureResult
    }
}

// MARK: - On the loop

extension RelayAdapter {
    private func tell(_ body: RelayRequest.Body, _ target: BroadcastTarget = .init()) {
        guard target.rooms?.isEmpty != true else { return }
        guard let message = RelayRequest(uid: uid, id: nil, body: body).encoded else { return }
        publish(message, on: channels.request)
    }

    /// - Parameter read: what a response adds; nil if it lacks it, which counts as an answer too.
    private func ask<Value: Sendable>(
        _ body: RelayRequest.Body, own: EventLoopFuture<[Value]>,
        read: @escaping @Sendable (RelayResponse) -> [Value]?
    ) -> EventLoopFuture<RelayAnswers<Value>> {
        own.and(serverCount()).hop(to: client.eventLoop).flatMap { own, servers in
            let promise = self.client.eventLoop.makePromise(of: RelayAnswers<Value>.self)
            let others = (servers ?? 1) - 1
            guard others > 0, !self.pending.value.isFull else {
                promise.succeed(RelayAnswers(own, isComplete: servers != nil && others <= 0))
                return promise.futureResult
            }
            var values = own
            var answers = 0
            self.wait(
                for: body, timeout: self.options.limits.requestTimeout,
                receive: { response in
                    answers += 1
                    values += read(response) ?? []
                    return answers == others
                },
                end: { promise.succeed(RelayAnswers(values, isComplete: $0)) })
            return promise.futureResult
        }
    }

    private func collectAnswers(
        _ event: BroadcastToAcknowledge, _ timeout: TimeAmount, servers: Int?,
        _ promise: EventLoopPromise<RelayAnswers<EventArguments>>
    ) {
        let collection = AnswerCollection(servers: max(servers ?? 1, 1))
        let bound = NIOLoopBound(collection, eventLoop: client.eventLoop)
        let isAlone = servers == nil || pending.value.isFull
        let id = wait(
            for: .broadcast(event), isPublished: !isAlone && collection.servers > 1,
            timeout: timeout,
            receive: { response in
                if response.type == .broadcastClientCount {
                    collection.found(response.clientCount ?? 0)
                } else if let answer = response.acknowledgement {
                    collection.answered(answer)
                }
                return collection.isComplete
            },
            end: { isComplete in
                promise.succeed(
                    RelayAnswers(collection.answers, isComplete: isComplete && !isAlone))
            })
        let update: @Sendable (@escaping @Sendable (AnswerCollection) -> Void) -> Void = { change in
            self.client.eventLoop.execute {
                change(bound.value)
                if bound.value.isComplete { self.pending.value.end(id, isComplete: true) }
            }
        }
        emit(
            event, timeout: timeout,
            onCount: { count in update { $0.found(count) } },
            onAnswer: { answer in update { $0.answered(answer) } })
    }

    @discardableResult
    private func wait(
        for body: RelayRequest.Body, isPublished: Bool = true, timeout: TimeAmount,
        receive: @escaping (RelayResponse) -> Bool, end: @escaping (Bool) -> Void
    ) -> String {
        let id = Self.randomID()
        let timer = client.eventLoop.scheduleTask(in: timeout) {
            self.pending.value.end(id, isComplete: false)
        }
        pending.value.add(id, .init(receive: receive, end: end, timer: timer))
        if isPublished, let message = RelayRequest(uid: uid, id: id, body: body).encoded {
            publish(message, on: channels.request)
        }
        return id
    }
}

/// The answers of clients to one broadcast, complete when every server has said how many clients
/// it found, and so many have answered.
private final class AnswerCollection {
    let servers: Int
    private(set) var answers: [EventArguments] = []
    private var serversHeard = 0
    private var clients = 0

    init(servers: Int) { self.servers = servers }

    var isComplete: Bool { serversHeard >= servers && answers.count >= clients }

    func found(_ count: Int) {
        serversHeard += 1
        clients &+= count
    }

    func answered(_ answer: EventArguments) { answers.append(answer) }
}
