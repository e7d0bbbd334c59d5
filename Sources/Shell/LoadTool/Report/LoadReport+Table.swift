extension LoadReport {
    /// What a person reads at the end.
    package var table: String {
        var rows = [("scenario", headline)] + counts
        rows.append(("latency", latencyText))
        for server in servers { rows.append(("server \(server.pid)", Self.text(server))) }
        rows += specific
        rows.append(("checked", faults))
        rows.append(("tool", toolText))
        let width = rows.map(\.0.count).max() ?? 0
        let lines = rows.map { name, text in
            name + String(repeating: " ", count: width - name.count + 2) + text
        }
        return (lines + warnings).joined(separator: "\n")
    }

    private var headline: String {
        let rooms = "\(plan.rooms) rooms × \(plan.members) members × \(plan.senders) senders"
        let pace = plan.rate.map { "\(Self.short($0)) messages/s a sender" }
        switch plan.scenario {
        case .idle, .connect: return "\(plan.scenario.rawValue): \(plan.connections) connections"
        case .churn: return "churn: \(plan.concurrency) at a time in \(plan.rooms) rooms"
        case .scene:
            return "scene: \(plan.rooms) rooms × \(plan.members) members, \(plan.bytes) bytes"
        case .fanout, .ack, .cross, .failover:
            return "\(plan.scenario.rawValue): \(rooms), \(plan.bytes) bytes, "
                + (pace ?? "\(plan.inFlight) in flight a sender")
        }
    }

    private var counts: [(String, String)] {
        let length = Self.short(seconds) + " s"
        guard seconds > 0, plan.scenario != .idle else { return [("measured", length)] }
        var rows = [("measured", length)]
        switch plan.scenario {
        case .connect: rows.append(("connects", Self.rate(tally.connects, seconds)))
        case .churn: rows.append(("cycles", Self.rate(tally.cycles, seconds)))
        default:
            rows.append(("sent", Self.rate(tally.sent, seconds)))
            rows.append(("deliveries", Self.rate(tally.deliveries, seconds)))
            if plan.asksForAcknowledgements {
                rows.append(("acknowledged", Self.rate(tally.acknowledged, seconds)))
            }
        }
        return rows
    }

    private static func rate(_ count: Int, _ seconds: Double) -> String {
        "\(grouped(count))  (\(grouped(Int(Double(count) / seconds)))/s)"
    }

    private var latencyText: String {
        latencies.map { "\($0.name) " + ($0.microseconds.map(Self.time) ?? "-") }
            .joined(separator: "  ")
    }

    private static func text(_ server: Server) -> String {
        guard let usage = server.usage else { return "ended" }
        let memory = [server.residentBefore, server.residentAfter].map {
            $0.map { "\(grouped($0 / 1024)) KiB" } ?? "-"
        }
        return "\(short(usage.cpuSeconds)) s of CPU (user \(short(usage.userSeconds)), system"
            + " \(short(usage.systemSeconds))), memory \(memory[0]) → \(memory[1])"
    }

    private var specific: [(String, String)] {
        var rows: [(String, String)] = []
        if let each = perServerSecond(operations), plan.scenario != .idle {
            rows.append(("per CPU second", "\(Self.grouped(Int(each))) \(operationName)"))
        }
        switch plan.scenario {
        case .idle, .connect:
            if let bytes = bytesPerConnection {
                rows.append(("memory", "\(Self.grouped(Int(bytes))) bytes a connection"))
            }
        case .failover:
            let whole = tally.wholeAt.map { "\(Self.short(Double($0) / 1e9)) s after the kill" }
            rows.append(("whole", whole ?? "never"))
            rows.append(
                (
                    "members",
                    "\(tally.moved) lost their server, \(tally.returned) came back;"
                        + " longest silence \(Self.short(Double(tally.longestSilence) / 1e9)) s"
                ))
        case .fanout, .ack, .cross, .scene, .churn: break
        }
        return rows
    }

    private var operationName: String {
        switch plan.scenario {
        case .ack: "acknowledgements"
        case .connect, .idle: "connects"
        case .churn: "cycles"
        case .fanout, .cross, .failover, .scene: "deliveries"
        }
    }

    private var faults: String {
        if isClean { return "nothing missing, duplicate or out of order" }
        let counts = [
            ("missing", tally.missing), ("duplicate", tally.duplicate),
            ("out of order", tally.outOfOrder), ("misdirected", tally.misdirected),
            ("unmarked", tally.unmarked), ("corrupted", tally.corrupted),
            ("refused", tally.refused), ("unacknowledged", tally.unacknowledged),
            ("refused to return", tally.rejoinFailures),
        ].filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
        let neverWhole = plan.scenario == .failover && tally.wholeAt == nil ? ["never whole"] : []
        let said = tally.refusal.map { "; \(Refusal.describe(event: $0))" } ?? ""
        return "FAILED: " + (counts + neverWhole).joined(separator: ", ") + said
    }

    private var toolText: String {
        let percent = Int((tally.busiest * 100).rounded())
        let starved = Int((tally.starvation * 100).rounded())
        return "\(Self.short(toolSeconds)) s of CPU on \(plan.threads) threads, the busiest"
            + " \(percent) % busy, \(starved) % waiting for a processor"
    }

    private var warnings: [String] {
        if toolWasTheLimit {
            return ["The tool was the limit: give it more --threads, or the server less work."]
        }
        if toolWasStarved {
            return ["The tool was the limit: it got too little of the processors."]
        }
        return []
    }

    // MARK: Numbers for people

    static func grouped(_ number: Int) -> String {
        var text = String(abs(number))
        var position = text.count - 3
        while position > 0 {
            text.insert(",", at: text.index(text.startIndex, offsetBy: position))
            position -= 3
        }
        return number < 0 ? "-" + text : text
    }

    static func short(_ number: Double) -> String {
        let rounded = (number * 100).rounded() / 100
        return rounded == rounded.rounded() && abs(rounded) < 1e15
            ? String(Int(rounded)) : String(rounded)
    }

    static func time(_ microseconds: Double) -> String {
        switch microseconds {
        case ..<1000: "\(short(microseconds)) µs"
        case ..<1_000_000: "\(short(microseconds / 1000)) ms"
        default: "\(short(microseconds / 1_000_000)) s"
        }
    }
}
