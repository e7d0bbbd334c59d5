import SocketIOServer

/// Values of metrics at one moment, and their text for Prometheus.
package struct MetricSamples: Sendable {
    package typealias Labels = [(name: String, value: String)]

    private struct Family: Sendable {
        let metric: Metric
        var lines: [String: String] = [:]
        var order: [String] = []
    }

    private var families: [String: Family] = [:]
    private var order: [String] = []

    package init() {}

    /// Sets the value of a metric with those labels; a later value replaces an earlier one.
    package mutating func set(_ metric: Metric, _ value: Double, _ labels: Labels = []) {
        add(metric, suffix: "", value, labels)
    }

    package mutating func set(_ metric: Metric, _ value: some BinaryInteger, _ labels: Labels = [])
    {
        set(metric, Double(value), labels)
    }

    mutating func add(_ metric: Metric, suffix: String, _ value: Double, _ labels: Labels) {
        if families[metric.name] == nil { order.append(metric.name) }
        let name = metric.name + suffix + Self.text(of: labels)
        var family = families[metric.name] ?? Family(metric: metric)
        if family.lines.updateValue(Self.text(of: value), forKey: name) == nil {
            family.order.append(name)
        }
        families[metric.name] = family
    }

    /// The text format 0.0.4: `# HELP`, `# TYPE` and a line for each sample.
    package var text: String {
        var text = ""
        for name in order {
            guard let family = families[name] else { continue }
            text += "# HELP \(name) \(Self.escaped(family.metric.help, quotes: false))\n"
            text += "# TYPE \(name) \(family.metric.kind.rawValue)\n"
            for line in family.order { text += "\(line) \(family.lines[line] ?? "NaN")\n" }
        }
        return text
    }

    /// The figures of the Socket.IO server.
    package mutating func add(_ engine: EngineMetrics) {
        set(.engineConnections, engine.openConnections)
        set(.engineSessions, engine.openWebSocketSessions, [("transport", "websocket")])
        set(
            .engineSessions, max(0, engine.openSessions - engine.openWebSocketSessions),
            [("transport", "polling")])
        set(.engineConnectionsTotal, engine.connections)
        set(.engineSessionsTotal, engine.sessions)
        set(.engineUpgrades, engine.upgrades)
        set(.engineRequests, engine.httpRequests)
        set(.engineMessagesReceived, engine.messagesReceived)
        set(.engineMessagesSent, engine.messagesSent)
        set(.engineBytesReceived, engine.bytesReceived)
        set(.engineBytesSent, engine.bytesSent)
        set(.engineDiscarded, engine.messagesDiscarded)
        set(.engineRefusals, engine.refusals)
        set(.engineProtocolErrors, engine.protocolErrors)
        set(.enginePingTimeouts, engine.pingTimeouts)
        set(.engineSlowClients, engine.slowClients)
        set(.engineBacklog, engine.backloggedBytes)
        set(.engineForwards, engine.forwards)
        set(.engineForwardFailures, engine.forwardFailures)
        set(.engineOpenTunnels, engine.openTunnels)
    }

    private static func text(of labels: Labels) -> String {
        guard !labels.isEmpty else { return "" }
        let pairs = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        return "{\(pairs.joined(separator: ","))}"
    }

    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if let whole = Int64(exactly: value) { return String(whole) }
        return String(value)
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "\\": escaped += "\\\\"
            case "\n", "\r", "\r\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.append(character)
            }
        }
    }
}
