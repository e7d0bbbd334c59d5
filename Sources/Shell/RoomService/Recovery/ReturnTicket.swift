import Rooms
import Secrets
import SocketIOServer

/// A client that is back, as far as its room knows it.
struct ReturnTicket: Sendable {
    let room: LiveRoom
    let proof: Joiner.Proof
    let offset: RoomOffset
    /// The name that it had.
    let name: String
}

/// What rooms keep of a client's `pid`.
enum ReturnKey {
    static func of(_ pid: String) -> String { String(Digest.sha256Hex(pid).prefix(32)) }
}

/// Which clients are told a `pid` and offsets.
enum RecoveryOffer {
    /// `recovery=1` or `recovery=0` in the query decides. Else all get them that may be expected to
    /// bear one argument more with an event; python-socketio may not, since it hands every argument
    /// to a function of so many parameters.
    static func isFor(_ handshake: HandshakeRequest) -> Bool {
        guard handshake.protocolRevision == 4 else { return false }
        switch handshake.queryItem("recovery") {
        case "1": return true
        case "0": return false
        default: break
        }
        guard let agent = handshake.headers.first(name: "user-agent") else {
            // websocket-client of Python names itself not, as Node's `ws`, which offers compression.
            return handshake.headers.contains(name: "sec-websocket-extensions")
        }
        return !pythonAgents.contains { agent.hasPrefix($0) }
    }

    /// aiohttp, requests, websocket-client where the application names it.
    private static let pythonAgents = ["Python/", "python-", "websocket-client"]
}
