package import JSON

/// Which namespaces one client connection is in, and what a packet means there.
///
/// Each namespace of a connection:
///
///     (none) ── CONNECT ──▶ connecting ── accepted ──▶ connected ── DISCONNECT ──▶ (none)
///                              │                          │
///                              └─ refused ──▶ (none)      └─ serverDisconnected ──▶ left
///     left: packets still on their way are dropped; CONNECT begins anew.
///
/// Invariants: at most `maxNamespaces` namespaces are kept; every packet has an answer in every
/// state; `isIdle` is true exactly when no namespace is connected, which is when the connect
/// timeout of the connection runs.
package struct ConnectionStateMachine: Sendable {
    package enum Action: Sendable, Hashable {
        /// Ask the namespace; answer with `accepted` or `refused`.
        case connect(namespace: String, auth: JSONText?)
        /// Answer CONNECT_ERROR: the client is in too many namespaces.
        case refuse(namespace: String)
        case event(Packet)
        case ack(Packet)
        /// The client left the namespace.
        case disconnect(namespace: String)
        /// The client gave up a namespace whose CONNECT is not answered yet.
        case cancelConnect(namespace: String)
        case ignore
        /// The client broke the protocol; close the connection.
        case close
    }

    private enum State: Sendable {
        case connecting, connected, left
    }

    /// Namespaces of one connection. Beyond: CONNECT_ERROR.
    package let maxNamespaces: Int
    private var states = ByNamespace<State>()
    private var isClosed = false

    package init(maxNamespaces: Int) {
        self.maxNamespaces = maxNamespaces
    }

    /// The connection is open. In revision 4 the client takes itself to be in the main namespace
    /// without asking.
    package mutating func opened(_ revision: ProtocolRevision) -> Action {
        switch revision {
        case .four: received(Packet(.connect))
        case .five: .ignore
        }
    }

    package var isIdle: Bool { !states.values.contains(.connected) }

    package mutating func received(_ packet: Packet) -> Action {
        guard !isClosed else { return .ignore }
        let namespace = packet.namespace
        switch (states[namespace], packet.type) {
        case (nil, .connect), (.left, .connect):
            guard states[namespace] != nil || states.count < maxNamespaces else {
                return .refuse(namespace: namespace)
            }
            states[namespace] = .connecting
            return .connect(namespace: namespace, auth: packet.payload)
        case (.connecting, .disconnect):
            states[namespace] = nil
            return .cancelConnect(namespace: namespace)
        case (.connected, .event): return .event(packet)
        case (.connected, .ack): return .ack(packet)
        case (.connected, .disconnect):
            states[namespace] = nil
            return .disconnect(namespace: namespace)
        case (.left, .event), (.left, .ack): return .ignore
        case (.left, .disconnect):
            states[namespace] = nil
            return .ignore
        case (nil, _), (.connecting, _), (.connected, .connect), (_, .connectError):
            isClosed = true
            return .close
        }
    }

    /// The namespace takes the client in. False if the client is gone meanwhile.
    package mutating func accepted(_ namespace: String) -> Bool {
        guard !isClosed, states[namespace] == .connecting else { return false }
        states[namespace] = .connected
        return true
    }

    /// The namespace refuses the client. False if the client is gone meanwhile.
    package mutating func refused(_ namespace: String) -> Bool {
        guard !isClosed, states[namespace] == .connecting else { return false }
        states[namespace] = nil
        return true
    }

    /// This side ended the client's stay. False if it was not connected.
    package mutating func serverDisconnected(_ namespace: String) -> Bool {
        guard !isClosed, states[namespace] == .connected else { return false }
        states[namespace] = .left
        return true
    }

    /// The connection is over.
    package mutating func closed() {
        isClosed = true
        states.removeAll()
    }
}
