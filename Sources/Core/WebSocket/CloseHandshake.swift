/// The closing of a connection (RFC 6455 § 7): who has said close, and what is left to do.
///
///     open ──sent──▶ awaitingPeer ──received──▶ done
///       └──received (reply is sent)───────────▶ done
package struct CloseHandshake: Sendable, Hashable {
    package enum Action: Sendable, Hashable {
        case nothing
        /// Write a close frame with this code; nothing may be written after it.
        case sendClose(code: UInt16)
        /// Write a close frame with this code, then close the connection.
        case sendCloseAndDisconnect(code: UInt16)
        /// Both sides are done; the server closes the connection first (§ 7.1.1).
        case disconnect
    }

    private enum State: Sendable, Hashable { case open, awaitingPeer, done }
    private var state = State.open

    package init() {}

    /// Whether data frames may still be written.
    package var isOpen: Bool { state == .open }

    package mutating func closeRequested(code: UInt16) -> Action {
        guard state == .open else { return .nothing }
        state = .awaitingPeer
        return .sendClose(code: code)
    }

    /// - Parameter code: of the peer's frame; echoed, as § 5.5.1 recommends.
    package mutating func receivedClose(code: UInt16?) -> Action {
        defer { state = .done }
        switch state {
        case .open: return .sendCloseAndDisconnect(code: code ?? CloseCode.normal)
        case .awaitingPeer: return .disconnect
        case .done: return .nothing
        }
    }

    /// The peer broke the protocol: nothing more is expected of it.
    package mutating func failed(code: UInt16) -> Action {
        defer { state = .done }
        switch state {
        case .open: return .sendCloseAndDisconnect(code: code)
        case .awaitingPeer: return .disconnect
        case .done: return .nothing
        }
    }

    /// The peer did not answer our close in time.
    package mutating func timedOut() -> Action {
        defer { state = .done }
        return state == .awaitingPeer ? .disconnect : .nothing
    }
}
