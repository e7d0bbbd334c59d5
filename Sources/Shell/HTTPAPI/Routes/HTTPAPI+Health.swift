import JSON
import SocketIOServer

/// How the instance is: `/api/health`, `/api/live`, `/api/ready`, `/health/<instance>`.
extension HTTPAPI {
    /// 200 for as long as the process answers, whatever the body says (R32).
    func health() -> HTTPResponse {
        .json(healthBody().encoded)
    }

    /// A proxy's probe of one instance must not be answered by another.
    func health(of instance: String) -> HTTPResponse {
        guard instance == source.instance().id else {
            return .error(
                .notFound, code: "NOT_FOUND", message: "This is another instance",
                details: encodedText(["instance": .string(source.instance().id)]))
        }
        return health()
    }

    private func healthBody() -> JSONValue {
        let report = source.health()
        let instance = source.instance()
        let stats = source.stats()
        return [
            "status": .string(report.status.rawValue), "instance": .string(instance.id),
            "ready": .bool(report.isReady), "reasons": list(report.reasons),
            "redis": [
                "mode": .string(report.redis.mode),
                "connected": .bool(report.redis.isConnected),
                "latencyMs": report.redis.latency.map { .double($0.roundedMilliseconds) }
                    ?? .null,
            ],
            "version": .string(instance.version), "uptime": .double(instance.uptime.seconds),
            "rooms": .integer(stats.rooms), "users": .integer(stats.clients),
            "members": .integer(stats.members),
        ]
    }

    /// What other instances and nginx ask before they send somebody here; see `PeerProbe`.
    func live() -> HTTPResponse {
        let report = source.health()
        let instance = source.instance()
        let body: JSONValue = [
            "alive": true, "instance": .string(instance.id),
            "incarnation": .string(instance.incarnation), "ready": .bool(report.isReady),
            "draining": .bool(report.isDraining), "linked": .bool(report.isLinked),
        ]
        return .json(body.encoded)
    }

    /// 200, or 503 with the reasons.
    func ready() -> HTTPResponse {
        let report = source.health()
        var members: [(String, JSONValue)] = [
            ("ready", .bool(report.isReady)), ("instance", .string(source.instance().id)),
            ("status", .string(report.status.rawValue)), ("reasons", list(report.reasons)),
        ]
        guard !report.isReady else { return .json(JSONValue.members(members).encoded) }
        let message =
            report.reasons.isEmpty
            ? "Not ready" : report.reasons.map(\.message).joined(separator: "; ")
        members.append(
            (
                "error",
                [
                    "message": .string(message), "code": "NOT_READY",
                    "details": ["reasons": list(report.reasons)],
                ]
            ))
        return .json(
            JSONValue.members(members).encoded, status: .serviceUnavailable,
            headers: ["retry-after": "1"])
    }

    private func list(_ reasons: [HealthReport.Reason]) -> JSONValue {
        .array(reasons.map { ["code": .string($0.code), "message": .string($0.message)] })
    }
}

/// JSON text for `HTTPResponse.error`.
func encodedText(_ value: JSONValue) -> String {
    String(decoding: value.encoded, as: UTF8.self)
}

extension Duration {
    var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }

    /// To three decimals, which is what a reader of a page wants.
    var roundedMilliseconds: Double { (seconds * 1_000_000).rounded() / 1_000 }
}
