/// Why an Engine.IO session ended.
public enum EngineCloseReason: Sendable, Hashable {
    /// The client went away, or said that it goes.
    case transportClose
    /// The connection broke, or the client broke a rule of the transport.
    case transportError
    /// No pong in time.
    case pingTimeout
    /// A frame or packet that is none.
    case parseError
    /// The application closed the session.
    case forcedClose
    /// The server drains or stops; `code` is the WebSocket close code (1012, or 1001).
    case serverShutdown(code: UInt16 = 1012)
    /// The client reads slower than it is sent to, beyond the limit of its queue.
    case tooSlow
    /// A message beyond even the bound up to which too long messages are skipped.
    case payloadTooLarge

    /// The name that Socket.IO applications know.
    public var name: String {
        switch self {
        case .transportClose: "transport close"
        case .transportError: "transport error"
        case .pingTimeout: "ping timeout"
        case .parseError: "parse error"
        case .forcedClose: "forced server close"
        case .serverShutdown: "server shutting down"
        case .tooSlow: "slow client"
        case .payloadTooLarge: "payload too large"
        }
    }

    /// The status code of the WebSocket close frame (RFC 6455 § 7.4).
    public var webSocketCode: UInt16 {
        switch self {
        case .transportClose, .pingTimeout, .forcedClose: 1000
        case .transportError: 1002
        case .parseError: 1007
        case .serverShutdown(let code): code
        case .tooSlow: 1013
        case .payloadTooLarge: 1009
        }
    }
}
