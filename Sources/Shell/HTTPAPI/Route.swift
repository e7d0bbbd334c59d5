import NIOHTTP1

/// Every path that is served beside Socket.IO, and with which methods.
///
/// Paths are compared as sent: what needs decoding, has a doubled or a trailing slash, or is not
/// here, is 404.
enum Route: Sendable, Hashable {
    case page(path: String)
    case client
    case health
    case healthOf(instance: String)
    case live
    case ready
    case instance
    case stats
    case rooms
    case loadBalancer
    case metrics
    case admin
    case adminRoom(id: String)

    init?(path: String) {
        switch path {
        case "/api/health", "/health": self = .health
        case "/api/live", "/live": self = .live
        case "/api/ready", "/ready": self = .ready
        case "/api/instance": self = .instance
        case "/api/stats": self = .stats
        case "/api/all-rooms": self = .rooms
        case "/api/load-balancer": self = .loadBalancer
        case "/metrics": self = .metrics
        case "/api/admin/status": self = .admin
        case HTTPAPI.clientPath: self = .client
        default:
            if HTTPAPI.pageFiles[path] != nil {
                self = .page(path: path)
            } else if let id = Self.tail(of: path, after: "/health/") {
                self = .healthOf(instance: id)
            } else if let id = Self.tail(of: path, after: "/api/admin/rooms/") {
                self = .adminRoom(id: id)
            } else {
                return nil
            }
        }
    }

    private static func tail(of path: String, after prefix: String) -> String? {
        guard path.hasPrefix(prefix) else { return nil }
        let tail = path.dropFirst(prefix.count)
        return tail.isEmpty || tail.contains("/") ? nil : String(tail)
    }

    static let methods: [HTTPMethod] = [.GET, .HEAD, .OPTIONS]
    static let allow = "GET, HEAD, OPTIONS"

    var isAdmin: Bool {
        switch self {
        case .admin, .adminRoom: true
        default: false
        }
    }

    /// The word for it in metrics: one of a fixed few, whatever clients ask.
    var label: String {
        switch self {
        case .page: "page"
        case .client: "client"
        case .health, .healthOf: "health"
        case .live: "live"
        case .ready: "ready"
        case .instance: "instance"
        case .stats: "stats"
        case .rooms: "rooms"
        case .loadBalancer: "load_balancer"
        case .metrics: "metrics"
        case .admin, .adminRoom: "admin"
        }
    }
}
