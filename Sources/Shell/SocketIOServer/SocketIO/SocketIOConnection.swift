import JSON
import Logging
import NIOCore
import SocketIO

/// Speaks Socket.IO on one Engine.IO session: decodes packets and hands them to the sockets of
/// the namespaces that the client is in. Everything happens on the session's loop.
package final class SocketIOConnection: EngineSessionDelegate {
    let session: any EngineSession
    let revision: ProtocolRevision
    private let namespaces: NamespaceTable
    private let logger: Logger
    private let state: NIOLoopBound<State>

    private final class State {
        var decoder: PacketDecoder
        var machine: ConnectionStateMachine
        /// Connected sockets and those in middleware, by namespace.
        var sockets = ByNamespace<Socket>()
        var connectTimer: Scheduled<Void>?
        /// By namespace: which attempt to connect still waits for what the client was before.
        var searches: [String: Int] = [:]
        var searchCount = 0

        init(_ limits: SocketLimits, _ revision: ProtocolRevision) {
            decoder = PacketDecoder(limits: limits.packetLimits, revision: revision)
            machine = ConnectionStateMachine(maxNamespaces: limits.maxNamespacesPerConnection)
        }
    }

    /// On the session's loop; becomes the session's delegate.
    package init(
        _ session: any EngineSession, namespaces: NamespaceTable, logger: Logger
    ) {
        self.session = session
        self.namespaces = namespaces
        self.logger = logger
        revision = session.request.protocolRevision == 3 ? .four : .five
        state = NIOLoopBound(State(namespaces.limits, revision), eventLoop: session.eventLoop)
        session.delegate = self
        updateConnectTimer()
        perform(state.value.machine.opened(revision))
    }

    var limits: SocketLimits { namespaces.limits }

    // MARK: From the session

    package func engineSession(_ session: any EngineSession, received text: ArraySlice<UInt8>) {
        do throws(PacketError) {
            guard let packet = try state.value.decoder.receivedText(text) else { return }
            received(packet)
        } catch {
            guard error.isLimit else { return refuse(error) }
            discard(text.prefix(Self.discardedPrefixBytes), byteCount: text.count)
        }
    }

    package func engineSession(
        _ session: any EngineSession, receivedBinary bytes: ArraySlice<UInt8>
    ) {
        do throws(PacketError) {
            guard let packet = try state.value.decoder.receivedBinary(bytes) else { return }
            received(packet)
        } catch {
            refuse(error)
        }
    }

    package func engineSession(
        _ session: any EngineSession, discardedMessageOf byteCount: Int,
        prefix: ArraySlice<UInt8>
    ) {
        discard(prefix, byteCount: byteCount)
    }

    /// As many as the transport keeps of a message that it skips.
    private static let discardedPrefixBytes = 256

    private func discard(_ prefix: ArraySlice<UInt8>, byteCount: Int) {
        do throws(PacketError) {
            let packet = try state.value.decoder.discardedMessage(prefix: prefix)
            guard let namespace = packet.namespace else { return }
            state.value.sockets[namespace]?.discardedMessage(packet, byteCount: byteCount)
        } catch {
            refuse(error)
        }
    }

    package func engineSessionBackedUp(_ session: any EngineSession) {
        for socket in state.value.sockets.values { socket.backedUp() }
    }

    package func engineSessionBecameWritable(_ session: any EngineSession) {
        for socket in state.value.sockets.values { socket.becameWritable() }
    }

    package func engineSession(_ session: any EngineSession, closed reason: EngineCloseReason) {
        state.value.machine.closed()
        state.value.connectTimer?.cancel()
        state.value.connectTimer = nil
        let sockets = state.value.sockets
        state.value.sockets.removeAll()
        state.value.searches = [:]
        for socket in sockets.values { socket.disconnected(.transport(reason)) }
    }

    // MARK: Packets

    private func received(_ packet: Packet) {
        perform(state.value.machine.received(packet))
    }

    private func perform(_ action: ConnectionStateMachine.Action) {
        switch action {
        case .connect(let namespace, let auth): connect(namespace, auth)
        case .refuse(let namespace):
            sendConnectError(ConnectError(message: "Too many namespaces"), namespace)
        case .event(let packet): state.value.sockets[packet.namespace]?.receivedEvent(packet)
        case .ack(let packet): state.value.sockets[packet.namespace]?.receivedAck(packet)
        case .disconnect(let namespace):
            let socket = state.value.sockets[namespace]
            state.value.sockets[namespace] = nil
            socket?.disconnected(.clientNamespaceDisconnect)
            updateConnectTimer()
        case .cancelConnect(let namespace):
            state.value.sockets[namespace] = nil
            state.value.searches[namespace] = nil
        case .ignore: break
        case .close:
            logger.debug("packet out of turn", metadata: ["sid": "\(session.id)"])
            session.close(.parseError)
        }
    }

    private func refuse(_ error: PacketError) {
        logger.debug("no packet", metadata: ["sid": "\(session.id)", "error": "\(error)"])
        session.close(.parseError)
    }

    // MARK: Connecting

    private func connect(_ name: String, _ auth: JSONText?) {
        guard let namespace = namespaces[name] else {
            _ = state.value.machine.refused(name)
            // An object in revision 4 too, as Node's server says it.
            let message = "Invalid namespace"
            let data: JSONValue? = revision == .four ? ["message": .string(message)] : nil
            return sendConnectError(ConnectError(message: message, data: data), name)
        }
        guard revision == .five, let recovery = namespace.recovery,
            recovery.isOffered(to: session.request)
        else {
            return begin(
                Socket(
                    id: socketID(in: name), namespace: namespace, auth: auth, connection: self))
        }
        let request = RecoveryRequest(
            auth: auth, handshake: session.request, eventLoop: session.eventLoop)
        guard let request else { return begin(makeSocket(namespace, auth, lost: nil)) }
        search(request, by: recovery, for: namespace, auth)
    }

    /// Asks what a returning client was, which may take a while.
    private func search(
        _ request: RecoveryRequest, by recovery: any ConnectionRecovery, for namespace: Namespace,
        _ auth: JSONText?
    ) {
        let name = namespace.name
        state.value.searchCount += 1
        let search = state.value.searchCount
        state.value.searches[name] = search
        recovery.find(request).hop(to: session.eventLoop).whenComplete { result in
            let lost = (try? result.get()).flatMap { $0 }
            guard self.state.value.searches[name] == search else {
                if let lost, lost.isRecoverable { recovery.abandon(lost, claimedFor: nil) }
                return
            }
            self.state.value.searches[name] = nil
            guard let lost, lost.isRecoverable else {
                return self.begin(self.makeSocket(namespace, auth, lost: lost))
            }
            self.begin(
                Socket(
                    id: request.sid, pid: request.pid, namespace: namespace, auth: auth,
                    lost: lost, connection: self))
        }
    }

    /// A new socket of a client that may recover it.
    private func makeSocket(_ namespace: Namespace, _ auth: JSONText?, lost: LostSocket?) -> Socket
    {
        let id = SocketID.random()
        return Socket(
            id: id, pid: PersistentID.make(for: id), namespace: namespace, auth: auth, lost: lost,
            connection: self)
    }

    private func begin(_ socket: Socket) {
        state.value.sockets[socket.namespace.name] = socket
        pass(socket, socket.namespace.middleware[...])
    }

    /// In revision 4 no id is sent: the client makes it from the session's.
    private func socketID(in namespace: String) -> String {
        switch revision {
        case .four: namespace == "/" ? session.id : "\(namespace)#\(session.id)"
        case .five: namespaces.makeSocketID()
        }
    }

    /// Asks one middleware after the other; at the end the socket is connected.
    private func pass(_ socket: Socket, _ middleware: ArraySlice<Namespace.Middleware>) {
        var rest = middleware
        while let next = rest.popFirst() {
            guard let future = next(socket) else { continue }
            let remaining = rest
            return future.hop(to: session.eventLoop).whenComplete { result in
                switch result {
                case .success: self.pass(socket, remaining)
                case .failure(let error): self.refused(socket, error)
                }
            }
        }
        accepted(socket)
    }

    private func accepted(_ socket: Socket) {
        guard let lost = socket.lost, lost.isRecoverable,
            let recovery = socket.namespace.recovery
        else { return enter(socket) }
        guard state.value.sockets[socket.namespace.name] === socket else {
            return recovery.abandon(lost, claimedFor: nil)
        }
        recovery.claim(lost, for: socket) { isRecovered in
            socket.onLoop { _ in self.claimed(socket, lost, recovery, isRecovered) }
        }
    }

    private func claimed(
        _ socket: Socket, _ lost: LostSocket, _ recovery: any ConnectionRecovery,
        _ isRecovered: Bool
    ) {
        let isHere = state.value.sockets[socket.namespace.name] === socket
        if isRecovered {
            guard isHere else { return recovery.abandon(lost, claimedFor: socket) }
            socket.state.value.isRecovered = true
            return enter(socket)
        }
        guard isHere else { return }
        let fresh = makeSocket(
            socket.namespace, socket.auth,
            lost: LostSocket(isRecoverable: false, context: lost.context))
        fresh.user = socket.user
        state.value.sockets[socket.namespace.name] = fresh
        enter(fresh)
    }

    /// The client is in, unless it is gone meanwhile.
    private func enter(_ socket: Socket) {
        let name = socket.namespace.name
        guard state.value.sockets[name] === socket, state.value.machine.accepted(name) else {
            return
        }
        updateConnectTimer()
        socket.connected()
    }

    private func refused(_ socket: Socket, _ error: any Error) {
        let name = socket.namespace.name
        if let lost = socket.lost, lost.isRecoverable {
            socket.namespace.recovery?.abandon(lost, claimedFor: nil)
        }
        guard state.value.sockets[name] === socket, state.value.machine.refused(name) else {
            return
        }
        state.value.sockets[name] = nil
        if let error = error as? ConnectError { return sendConnectError(error, name) }
        logger.error("middleware failed", metadata: ["nsp": "\(name)", "error": "\(error)"])
        sendConnectError(ConnectError(message: "Internal error"), name)
    }

    private func sendConnectError(_ error: ConnectError, _ namespace: String) {
        let text = PacketEncoder.connectError(
            error.message, data: error.data, namespace: namespace, revision: revision)
        session.send(.text(ByteBuffer(bytes: text)))
    }

    // MARK: Ending

    /// Takes a socket out of its namespace from this side.
    func disconnect(_ socket: Socket) {
        let name = socket.namespace.name
        guard state.value.sockets[name] === socket,
            state.value.machine.serverDisconnected(name)
        else { return }
        state.value.sockets[name] = nil
        session.send(.text(ByteBuffer(bytes: PacketEncoder.disconnect(namespace: name))))
        socket.disconnected(.serverNamespaceDisconnect)
        updateConnectTimer()
    }

    /// The timer runs exactly while the client is in no namespace.
    private func updateConnectTimer() {
        guard state.value.machine.isIdle else {
            state.value.connectTimer?.cancel()
            state.value.connectTimer = nil
            return
        }
        guard state.value.connectTimer == nil, session.isOpen else { return }
        state.value.connectTimer = session.eventLoop.scheduleTask(in: limits.connectTimeout) {
            self.session.close(.forcedClose)
        }
    }
}
