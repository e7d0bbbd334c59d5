import HTTPAPI
import JSON
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import SocketIOServer

/// A source whose answers the test sets.
struct FakeSource: StatusSource {
    var instanceReport = InstanceReport(
        id: "server-1", incarnation: "server-1#00000000000000ab",
        publicURL: "http://localhost:3001", version: "1.2.3", uptime: .milliseconds(12_500),
        nodes: [
            NodeReport(
                id: "server-1", url: "http://localhost:3001", state: "ready", isAlive: true,
                weight: 1),
            NodeReport(
                id: "server-2", url: "http://localhost:3002", state: "dead", isAlive: false,
                weight: 2),
        ])
    var healthReport = HealthReport(
        status: .healthy, isReady: true, isDraining: false, isLinked: true, reasons: [],
        redis: .init(mode: "single", isConnected: true, latency: .microseconds(420)))
    var statsReport = StatsReport(
        clients: 3, webSocketClients: 2, members: 2, rooms: 1, clusterRooms: 7,
        clusterClients: nil, messagesReceived: 10, messagesSent: 20)
    var roomItems: [JSONValue] = [["id": "room1", "userCount": 2]]
    var roomsFail = false
    var adminRoomReport: AdminRoomReport?

    struct Failure: Error {}
    private var loop: any EventLoop { MultiThreadedEventLoopGroup.singleton.next() }

    func instance() -> InstanceReport { instanceReport }
    func health() -> HealthReport { healthReport }
    func stats() -> StatsReport { statsReport }

    func rooms() -> EventLoopFuture<[JSONValue]> {
        roomsFail ? loop.makeFailedFuture(Failure()) : loop.makeSucceededFuture(roomItems)
    }

    func placement(of roomID: String) -> PlacementReport {
        PlacementReport(owner: instanceReport.nodes[0], configuredOwnerID: "server-2")
    }

    func collectMetrics(into samples: inout MetricSamples) {
        var engine = EngineMetrics()
        engine.openSessions = 3
        engine.openWebSocketSessions = 2
        samples.add(engine)
        samples.set(.commits, 41)
    }

    func adminReport() -> EventLoopFuture<AdminReport> {
        loop.makeSucceededFuture(
            AdminReport(redisAddress: "10.9.8.7:6379/0", details: ["queued": 4]))
    }

    func adminRoom(_ id: String) -> EventLoopFuture<AdminRoomReport?> {
        loop.makeSucceededFuture(adminRoomReport.flatMap { $0.id == id ? $0 : nil })
    }
}

/// The API over a fake source, and what it answers.
struct Client {
    let api: HTTPAPI

    init(
        _ source: FakeSource = FakeSource(),
        _ change: (inout HTTPAPI.Options) -> Void = { _ in }
    ) {
        var options = HTTPAPI.Options { (3...50).contains($0.utf8.count) && !$0.contains(" ") }
        change(&options)
        api = HTTPAPI(source: source, options: options)
    }

    func send(
        _ method: HTTPMethod = .GET, _ path: String, query: [(String, String)] = [],
        headers: HTTPHeaders = [:]
    ) async throws -> Answer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let request = HTTPRequest(
            method: method, path: path, query: query.map { (name: $0.0, value: $0.1) },
            headers: headers, body: ByteBuffer(), remoteAddress: "10.0.0.1",
            peerAddress: "10.0.0.1", viaTrustedProxy: false, isSecure: false, eventLoop: loop)
        let answer = api.respond(to: request)
        #expect(answer.eventLoop === loop)
        return Answer(response: try await answer.get())
    }
}

struct Answer {
    let response: HTTPResponse

    var code: Int { Int(response.status.code) }
    var text: String { String(buffer: response.body) }

    func header(_ name: String) -> String? { response.headers.first(name: name) }

    func json() throws -> JSONText {
        #expect(header("content-type")?.hasPrefix("application/json") == true)
        return try JSONText(validating: Array(response.body.readableBytesView)[...])
    }

    func errorCode() throws -> String? {
        let error = try json()["error"]
        #expect(error?["message"]?.string?.isEmpty == false)
        #expect(error?["details"] != nil)
        return error?["code"]?.string
    }
}
