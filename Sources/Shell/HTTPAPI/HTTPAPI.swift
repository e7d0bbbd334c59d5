import JSON
import NIOCore
import NIOHTTP1
import Secrets
import SocketIOServer

/// The plain HTTP side of an instance: health, readiness, statistics, rooms, placement, metrics,
/// admin, and the page for people.
///
/// `respond` is what `ServerOptions.httpHandler` wants. CORS headers, preflights and the bodiless
/// answer to HEAD are the server's; an answer is always whole and never an error of the future.
package struct HTTPAPI: Sendable {
    package struct Options: Sendable {
        /// Opens `/api/admin/…` to `Authorization: Bearer TOKEN`. Nil: those paths are 404.
        package var adminToken: String?
        /// The value of `Set-Cookie` for an answer under `/api/`, if it shall have one.
        package var cookie: @Sendable (HTTPRequest) -> String? = { _ in nil }
        /// The stock Socket.IO client for browsers. Nil: its path is 404 and says what to do.
        package var clientFile: StaticFile?
        /// Whether a text is a room id.
        package var isRoomID: @Sendable (String) -> Bool

        package init(isRoomID: @escaping @Sendable (String) -> Bool) {
            self.isRoomID = isRoomID
        }
    }

    let source: any StatusSource
    let options: Options
    /// Of this process; others may add to it.
    package let metrics: MetricsRegistry

    package init(
        source: any StatusSource, options: Options, metrics: MetricsRegistry = .init()
    ) {
        self.source = source
        self.options = options
        self.metrics = metrics
    }

    /// The answer to one request, on the request's loop.
    package func respond(to request: HTTPRequest) -> EventLoopFuture<HTTPResponse> {
        let route = Route(path: request.path)
        let began = NIODeadline.now()
        return answer(request, route)
            .flatMapErrorThrowing { _ in
                .error(
                    .serviceUnavailable, code: "STORE_UNAVAILABLE",
                    message: "The store does not answer")
            }
            .map { response in
                count(response, route, since: began)
                return finished(response, for: request)
            }
    }

    private func answer(
        _ request: HTTPRequest, _ route: Route?
    ) -> EventLoopFuture<HTTPResponse> {
        let loop = request.eventLoop
        guard let route, !route.isAdmin || options.adminToken != nil else {
            return loop.makeSucceededFuture(
                .error(.notFound, code: "NOT_FOUND", message: "No such path"))
        }
        guard Route.methods.contains(request.method) else {
            return loop.makeSucceededFuture(
                .error(
                    .methodNotAllowed, code: "METHOD_NOT_ALLOWED",
                    message: "This path takes \(Route.allow)", headers: ["allow": Route.allow]))
        }
        if request.method == .OPTIONS {
            return loop.makeSucceededFuture(
                HTTPResponse(status: .noContent, headers: ["allow": Route.allow]))
        }
        if route.isAdmin, !isAdmin(request) {
            return loop.makeSucceededFuture(
                .error(
                    .unauthorized, code: "UNAUTHORIZED", message: "The admin token is needed",
                    headers: ["www-authenticate": "Bearer"]))
        }
        switch route {
        case .page(let path): return loop.makeSucceededFuture(pageFile(path, request))
        case .client: return loop.makeSucceededFuture(clientFile(request))
        case .health: return loop.makeSucceededFuture(health())
        case .healthOf(let instance):
            return loop.makeSucceededFuture(health(of: instance))
        case .live: return loop.makeSucceededFuture(live())
        case .ready: return loop.makeSucceededFuture(ready())
        case .instance: return loop.makeSucceededFuture(instance())
        case .stats: return loop.makeSucceededFuture(stats())
        case .loadBalancer: return loop.makeSucceededFuture(loadBalancer(request))
        case .metrics:
            return loop.makeSucceededFuture(metricsPage(withMemory: isAdmin(request)))
        case .rooms: return source.rooms().map(rooms).hop(to: loop)
        case .admin: return source.adminReport().map(adminPage).hop(to: loop)
        case .adminRoom(let id): return source.adminRoom(id).map(adminRoomPage).hop(to: loop)
        }
    }

    /// Whether the request carries the admin token. False where there is none.
    private func isAdmin(_ request: HTTPRequest) -> Bool {
        guard let token = options.adminToken,
            let header = request.headers.first(name: "authorization")
        else { return false }
        let scheme = "bearer "
        return header.count > scheme.count && header.prefix(scheme.count).lowercased() == scheme
            && ConstantTime.equal(header.dropFirst(scheme.count), token)
    }

    private func finished(_ response: HTTPResponse, for request: HTTPRequest) -> HTTPResponse {
        var response = response
        if !response.headers.contains(name: "cache-control") {
            response.headers.add(name: "cache-control", value: "no-store")
        }
        response.headers.replaceOrAdd(name: "x-content-type-options", value: "nosniff")
        // nginx sends a Socket.IO request where the answer to its question came from.
        response.headers.replaceOrAdd(name: "x-tandem-instance", value: source.instance().id)
        if request.method != .OPTIONS, request.path.hasPrefix("/api/"),
            let cookie = options.cookie(request)
        {
            response.headers.add(name: "set-cookie", value: cookie)
        }
        return response
    }

    private func count(_ response: HTTPResponse, _ route: Route?, since began: NIODeadline) {
        let label = route?.label ?? "none"
        metrics.counter(
            .httpResponses, [("route", label), ("code", "\(response.status.code)")]
        ).add()
        let took = NIODeadline.now() - began
        metrics.histogram(.httpSeconds, Self.secondsBuckets).observe(
            .nanoseconds(took.nanoseconds))
    }

    private static let secondsBuckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5]
}

extension HTTPRequest {
    /// The value of a cookie of that name, as sent.
    package func cookie(_ name: String) -> String? {
        for header in headers["cookie"] {
            for pair in header.split(separator: ";") {
                let trimmed = pair.drop { $0 == " " || $0 == "\t" }
                if trimmed.hasPrefix(name + "=") {
                    return String(trimmed.dropFirst(name.utf8.count + 1))
                }
            }
        }
        return nil
    }
}
