import Testing

@testable import HTTPAPI

@Suite struct MetricsTests {
    @Test("the page is Prometheus text: every sample has a type, every type its help")
    func page() async throws {
        let client = Client()
        _ = try await client.send(.GET, "/api/live")
        let answer = try await client.send(.GET, "/metrics")
        #expect(answer.header("content-type")?.hasPrefix("text/plain; version=0.0.4") == true)
        var types: [String: String] = [:]
        var helps: Set<Substring> = []
        var samples: Set<Substring> = []
        let sample = try Regex(
            #"^([a-z_]+)(\{([a-z_]+="[^"\\\n]*",?)+\})? (-?[0-9.]+(e[+-]?[0-9]+)?|[+-]Inf|NaN)$"#)
        for line in answer.text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix("# HELP ") {
                #expect(words.count > 3 && helps.insert(words[2]).inserted)
            } else if line.hasPrefix("# TYPE ") {
                #expect(types.updateValue(String(words[3]), forKey: String(words[2])) == nil)
            } else {
                let match = try #require(try sample.wholeMatch(in: String(line)), "\(line)")
                let name = String(match[1].substring ?? "")
                let base = ["_bucket", "_sum", "_count"].reduce(name) {
                    types["\($0.dropLast($1.count))"] == "histogram" && $0.hasSuffix($1)
                        ? String($0.dropLast($1.count)) : $0
                }
                #expect(types[base] != nil, "\(line)")
                #expect(samples.insert(line).inserted)
            }
        }
        #expect(types.count >= 25 && types.keys.allSatisfy { helps.contains($0[...]) })
        #expect(answer.text.hasSuffix("\n"))
        for line in [
            #"tandem_info{instance="server-1",version="1.2.3"} 1"#, "tandem_uptime_seconds 12.5",
            #"tandem_status{status="healthy"} 1"#, #"tandem_status{status="degraded"} 0"#,
            #"tandem_node_alive{node="server-2"} 0"#, "tandem_clients 3", "tandem_commits_total 41",
            #"tandem_engine_open_sessions{transport="polling"} 1"#,
            "tandem_redis_latency_seconds 0.00042",
            #"tandem_http_responses_total{route="live",code="200"} 1"#,
            "tandem_http_response_seconds_count 1",
        ] {
            #expect(samples.contains(line[...]), "\(line)")
        }
    }

    @Test("names are unlike each other, and tell their kind")
    func names() {
        let all: [Metric] = [.info, .uptime, .commits, .engineSessions, .httpResponses]
        #expect(Set(all.map(\.name)).count == all.count)
        #expect(all.allSatisfy { ($0.kind == .counter) == $0.name.hasSuffix("_total") })
    }

    @Test("label values cannot break out of their quotes")
    func escaping() {
        var samples = MetricSamples()
        samples.set(.info, 1, [("instance", "a\"} 1\nevil 2\\"), ("version", "v")])
        #expect(
            samples.text.split(separator: "\n").last
                == #"tandem_info{instance="a\"} 1\nevil 2\\",version="v"} 1"#)
    }

    @Test("values are written so that they read back the same")
    func values() {
        let expected: [(Double, String)] = [
            (0, "0"), (1, "1"), (-1.5, "-1.5"), (1e15, "1000000000000000"), (0.1, "0.1"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        ]
        for (value, text) in expected { #expect(MetricSamples.text(of: value) == text) }
        #expect(Double(MetricSamples.text(of: 1e300)) == 1e300)
    }

    @Test("a counter is one counter however often it is asked for, from any thread")
    func counters() async {
        let registry = MetricsRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        registry.counter(.httpResponses, [("route", "a"), ("code", "200")]).add()
                    }
                }
            }
        }
        #expect(
            registry.counter(.httpResponses, [("route", "a"), ("code", "200")]).value == 8_000)
        #expect(registry.counter(.httpResponses, [("route", "b"), ("code", "200")]).value == 0)
    }

    @Test("buckets are cumulative, and what is above all bounds counts in +Inf")
    func histogram() {
        let registry = MetricsRegistry()
        let histogram = registry.histogram(.httpSeconds, [0.1, 1])
        for seconds in [0.05, 0.1, 0.5, 3] { histogram.observe(.seconds(seconds)) }
        histogram.observe(.seconds(Int64.max / 2))
        var samples = MetricSamples()
        registry.collect(into: &samples)
        let lines = samples.text.split(separator: "\n").dropFirst(2)
        #expect(
            Array(lines) == [
                #"tandem_http_response_seconds_bucket{le="0.1"} 2"#,
                #"tandem_http_response_seconds_bucket{le="1"} 3"#,
                #"tandem_http_response_seconds_bucket{le="+Inf"} 5"#,
                "tandem_http_response_seconds_sum 3.65", "tandem_http_response_seconds_count 5",
            ])
    }

    @Test("the number of series is bounded, and what is beyond counts nowhere")
    func bounded() {
        let registry = MetricsRegistry()
        for number in 0..<(MetricsRegistry.maxSeries + 500) {
            registry.counter(.httpResponses, [("route", "r\(number)")]).add()
        }
        var samples = MetricSamples()
        registry.collect(into: &samples)
        #expect(samples.text.split(separator: "\n").count == MetricsRegistry.maxSeries + 2)
    }
}
