/// Judges a request to the Socket.IO path by what it says of itself; what hangs on the state of
/// the session is for `EngineSessionStateMachine`.
package struct RequestValidator: Sendable {
    /// The parts of a request that matter here.
    package struct Request: Sendable, Hashable {
        package enum Method: Sendable, Hashable { case get, post, other }

        package var method: Method
        /// Query items `transport`, `EIO` and `sid`.
        package var transport: String?
        package var revision: String?
        package var sid: String?
        /// Whether the request asks to become a WebSocket.
        package var isUpgrade: Bool
        /// Whether it has the query item `j`: the answer is to be a script.
        package var wantsScript: Bool

        package init(
            method: Method, transport: String?, revision: String?, sid: String?, isUpgrade: Bool,
            wantsScript: Bool = false
        ) {
            self.method = method
            self.transport = transport
            self.revision = revision
            self.sid = sid
            self.isUpgrade = isUpgrade
            self.wantsScript = wantsScript
        }
    }

    package enum Decision: Sendable, Hashable {
        case open(TransportKind, ProtocolRevision)
        case poll(sid: String)
        case post(sid: String)
        /// A WebSocket that wants to take over a polling session.
        case probe(sid: String)
        case refuse(RequestError)
    }

    package var transports: Set<TransportKind>
    package var revisions: Set<ProtocolRevision>

    package init(
        transports: Set<TransportKind>,
        revisions: Set<ProtocolRevision> = Set(ProtocolRevision.allCases)
    ) {
        self.transports = transports
        self.revisions = revisions
    }

    package func decide(_ request: Request) -> Decision {
        guard let kind = request.transport.flatMap(TransportKind.init(rawValue:)),
            transports.contains(kind)
        else { return .refuse(.unknownTransport) }
        // A script can be read from any page: it would carry a session past the rule of origins.
        guard !request.wantsScript else { return .refuse(.badRequest) }
        guard let sid = request.sid else { return decideOpening(request, kind) }
        switch (kind, request.method, request.isUpgrade) {
        case (.webSocket, .get, true): return .probe(sid: sid)
        case (.polling, .get, false): return .poll(sid: sid)
        case (.polling, .post, false): return .post(sid: sid)
        default: return .refuse(.badRequest)
        }
    }

    private func decideOpening(_ request: Request, _ kind: TransportKind) -> Decision {
        guard request.method == .get else { return .refuse(.badHandshakeMethod) }
        guard request.isUpgrade == (kind == .webSocket) else { return .refuse(.badRequest) }
        guard let revision = request.revision.flatMap(ProtocolRevision.init(rawValue:)),
            revisions.contains(revision)
        else { return .refuse(.unsupportedProtocolVersion) }
        return .open(kind, revision)
    }
}
