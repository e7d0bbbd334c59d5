import NIOCore
import NIOPosix
import NIOSSL
import Redis
import TestKit
import Testing

/// Against a real redis-server; each test has its own.
@Suite(.serialized, .timeLimit(.minutes(1))) struct RedisClientTests {
    @Test(arguments: [("noeviction", false), ("allkeys-lru", true)])
    func aServerThatDropsKeysWhenItIsFullIsToldOf(policy: String, isHarmful: Bool) async throws {
        let redis = try RedisServerProcess(
            options: ["--maxmemory", "100mb", "--maxmemory-policy", policy])
        try await withClient(redis.configuration) { client in
            try await eventually("asked") { client.status.eviction != nil }
            let eviction = try #require(client.status.eviction)
            #expect(eviction.policy == policy && eviction.maxMemoryBytes == 100 << 20)
            #expect(eviction.evictedKeys == 0 && eviction.isHarmful == isHarmful)
        }
    }

    @Test func droppedKeysAreHarmWhateverIsSetNow() throws {
        let memory = "maxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
        #expect(RedisEviction(memory: memory, stats: "evicted_keys:1\r\n")?.isHarmful == true)
        #expect(RedisEviction(memory: memory, stats: "evicted_keys:0\r\n")?.isHarmful == false)
        #expect(RedisEviction(memory: memory, stats: "") == nil)
    }

    @Test func commandsFromAnyThreadAreAnsweredInOrder() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            let futures = (0..<5_000).map { client.send(["ECHO", RESPArgument($0)]) }
            for (index, future) in futures.enumerated() {
                #expect(try await future.value().int == Int64(index))
            }
        }
    }

    @Test func everyTypeOfReplyArrives() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            let blob = [UInt8]((0...255).map { UInt8($0) })
            #expect(try await client.call("SET", "k", RESPArgument(blob)).string == "OK")
            #expect(try await client.call("GET", "k").bytes == blob)
            #expect(try await client.call("GET", "none").isNull)
            #expect(try await client.call("RPUSH", "l", "a", "b").int == 2)
            #expect(try await client.call("LRANGE", "l", 0, -1).array?.map(\.string) == ["a", "b"])
            await #expect(
                throws: RedisError.server(
                    code: "ERR", message: "value is not an integer or out of range")
            ) {
                try await client.call("INCR", "k")
            }
        }
    }

    @Test func aValueOfMegabytesGoesAndComesBackWhole() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            let body = [UInt8](
                (0..<15_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
            _ = try await client.call("SET", "scene", RESPArgument(body))
            #expect(try await client.call("GET", "scene").bytes == body)
        }
    }

    @Test func aScriptRunsByNameAndIsSentAgainOnceForgotten() async throws {
        let redis = try RedisServerProcess()
        let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCR', 'runs')}")
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            for run in 1...3 {
                if run == 3 { try redis.cli(["SCRIPT", "FLUSH"]) }
                let reply = try await client.eval(script, keys: ["k"], arguments: [7]).value()
                #expect(reply.array?.map(\.string) == ["k", "7", nil])
                #expect(reply.array?.last?.int == Int64(run), "run once each time")
            }
            let known = try redis.cli(["SCRIPT", "EXISTS", script.sha1])
            #expect(known == "1", "our name for it is Redis's")
            let failing = RedisScript("return redis.error_reply('NO_ROOM gone')")
            await #expect(throws: RedisError.server(code: "NO_ROOM", message: "gone")) {
                try await client.eval(failing).value()
            }
        }
    }

    @Test func passwordAndDatabaseAreUsed() async throws {
        let redis = try RedisServerProcess(options: ["--requirepass", "se cret"])
        var configuration = try RedisConfiguration(
            url: "redis://:se%20cret@127.0.0.1:\(redis.port)/3")
        configuration.clientName = "my client"
        try await withClient(configuration) { client in
            try await client.isReady()
            _ = try await client.call("SET", "k", "v")
            #expect(
                try redis.cli(["-a", "se cret", "--no-auth-warning", "-n", "3", "GET", "k"]) == "v")
            #expect(try await client.call("CLIENT", "GETNAME").string == "my_client")
            #expect(client.status.server?.version?.isEmpty == false)
        }
    }

    @Test func anACLUserIsUsed() async throws {
        let redis = try RedisServerProcess(
            options: ["--user", "tandem", "on", ">pw", "~tandem:*", "&*", "+@all"]
                + ["--user", "default", "off"])
        let configuration = RedisConfiguration(
            port: redis.port, username: "tandem", password: "pw")
        try await withClient(configuration) { client in
            try await client.isReady()
            #expect(try await client.call("ACL", "WHOAMI").string == "tandem")
            await #expect(throws: RedisError.self) { try await client.call("GET", "other") }
        }
    }

    @Test(arguments: ["wrong", nil])
    func aWrongOrMissingPasswordIsToldAsSuch(password: String?) async throws {
        let redis = try RedisServerProcess(options: ["--requirepass", "right"])
        let configuration = RedisConfiguration(
            port: redis.port, password: password.map { RedisSecret($0) })
        try await withClient(configuration) { client in
            try await eventually("state") {
                if case .down(let problem) = client.status.state {
                    return problem.code == .authenticationFailed
                }
                return false
            }
            do {
                _ = try await client.call("PING")
                Issue.record("a command passed")
            } catch RedisError.unavailable(let problem) {
                #expect(problem.code == .authenticationFailed)
            }
            try redis.cli(["-a", "right", "CONFIG", "SET", "requirepass", password ?? ""])
            try await client.isReady()
        }
    }

    @Test func aDatabaseThatDoesNotExistIsToldAsSuch() async throws {
        let redis = try RedisServerProcess()
        try await withClient(RedisConfiguration(port: redis.port, database: 99)) { client in
            try await eventually("state") { client.status.state.problem?.code == .wrongDatabase }
        }
    }

    @Test func aFullServerIsDegradedUntilItTakesWritesAgain() async throws {
        let redis = try RedisServerProcess(options: ["--maxmemory-policy", "noeviction"])
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            try redis.cli(["CONFIG", "SET", "maxmemory", "1"])
            do {
                _ = try await client.call("SET", "k", "v")
                Issue.record("a write passed")
            } catch RedisError.server(let code, _) {
                #expect(code == "OOM")
            }
            #expect(client.status.state.problem?.code == .outOfMemory)
            #expect(client.status.state.problem != nil)
            #expect(try await client.call("GET", "k").isNull, "reads pass")
            try await Task.sleep(for: .milliseconds(1_500))
            #expect(client.status.state.problem?.code == .outOfMemory)
            try redis.cli(["CONFIG", "SET", "maxmemory", "0"])
            try await client.isReady(within: .seconds(3))
        }
    }

    @Test func aReplicaIsDegradedAsReadOnly() async throws {
        let primary = try RedisServerProcess()
        let redis = try RedisServerProcess(options: ["--replicaof", "127.0.0.1 \(primary.port)"])
        try await withClient(redis.configuration) { client in
            try await eventually("read only") {
                do { _ = try await client.call("SET", "k", "v") } catch {}
                return client.status.state.problem?.code == .readOnly
            }
            try redis.cli(["REPLICAOF", "NO", "ONE"])
            try await client.isReady()
        }
    }

    @Test func encryptedConnectionsCheckTheServer() async throws {
        let redis = try RedisServerProcess(tls: true)
        let authority = try #require(redis.certificates?.authority)
        for host in ["localhost", "127.0.0.1"] {
            let url = "rediss://\(host):\(redis.port)?ca=\(authority)"
            try await withClient(try RedisConfiguration(url: url)) { client in
                try await client.isReady()
                #expect(try await client.call("ECHO", "hidden").string == "hidden")
            }
        }
        try await withClient(try RedisConfiguration(url: "rediss://localhost:\(redis.port)")) {
            client in
            try await eventually("refused") { client.status.state.problem?.code == .tlsFailed }
        }
        #expect(throws: (any Error).self, "a file that is not there") {
            try RedisClient(
                configuration: RedisConfiguration(url: "rediss://localhost?ca=/nowhere.pem"),
                eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        }
    }

    @Test func closingWaitsForWhatIsInFlightAndRefusesTheRest() async throws {
        let redis = try RedisServerProcess()
        let client = try RedisClient(
            configuration: redis.configuration,
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        client.start()
        try await client.isReady()
        let slow = client.send(["BLPOP", "nothing", "0.3"])
        let heard = client.subscribe("room") { _ in }
        try await heard.value()
        try await client.close().value()
        #expect(try await slow.value().isNull)
        #expect(client.status.state == .closed)
        await #expect(throws: RedisError.closed) { try await client.call("PING") }
        await #expect(throws: RedisError.closed) {
            try await client.subscribe("x") { _ in }.value()
        }
        try await client.close().value()
        try await eventually("all connections closed") {
            try redis.cli(["CLIENT", "LIST"]).split(separator: "\n").count == 1
        }
    }

    @Test func aClosedClientIsFreed() async throws {
        let redis = try RedisServerProcess()
        weak var freed: RedisClient?
        try await withClient(redis.configuration) { client in
            freed = client
            client.observe { [client] _ in _ = client }
            client.subscribe("room") { [client] _ in _ = client }
            try await client.isReady()
        }
        try await eventually("freed") { freed == nil }
    }

    @Test func aServerWithoutAUTHDoesNotMakeThePasswordKnown() async throws {
        let redis = try RedisServerProcess(options: ["--rename-command", "AUTH", ""])
        let configuration = RedisConfiguration(port: redis.port, password: "hunter2")
        try await withClient(configuration) { client in
            try await eventually("refused") {
                client.status.state.problem?.code == .authenticationFailed
            }
            #expect(!"\(client.status)".contains("hunter2"))
        }
    }

    @Test func aClientThatWasNeverConnectedCloses() async throws {
        let port = try RedisServerProcess.freePort()
        let client = try RedisClient(
            configuration: RedisConfiguration(port: port),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        client.start()
        let subscription = client.subscribe("room") { _ in }
        try await client.close().value()
        await #expect(throws: RedisError.closed) { try await subscription.value() }
    }
}
