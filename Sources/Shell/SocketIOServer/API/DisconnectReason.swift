/// Why a socket left its namespace.
public enum DisconnectReason: Sendable, Hashable, CustomStringConvertible {
    /// The client sent a DISCONNECT packet; other namespaces of its connection go on.
    case clientNamespaceDisconnect
    /// `Socket.disconnect()`; other namespaces of its connection go on.
    case serverNamespaceDisconnect
    /// The whole connection ended.
    case transport(EngineCloseReason)

    /// The name that Socket.IO applications know.
    public var description: String {
        switch self {
        case .clientNamespaceDisconnect: "client namespace disconnect"
        case .serverNamespaceDisconnect: "server namespace disconnect"
        case .transport(let reason): reason.name
        }
    }
}
