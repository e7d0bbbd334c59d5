import Foundation
import NIOCore
import NIOPosix
import Redis
import TestKit
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct RedisFaultTests {
    @Test func aClientStartedBeforeRedisIsReadyWithinFiveSecondsOfIt() async throws {
        let port = try RedisServerProcess.freePort()
        let heard = Recorder<RedisMessage>()
        try await withClient(RedisConfiguration(port: port)) { client in
            let subscription = client.subscribe("room") { heard.add($0) }
            try await eventually("unreachable") {
                client.status.state.problem?.code == .unreachable
            }
            let start = ContinuousClock.now
            await #expect(throws: RedisError.self) { try await client.call("PING") }
            #expect(ContinuousClock.now - start < .milliseconds(500), "refused at once")
            try await Task.sleep(for: .seconds(2))
            let redis = try RedisServerProcess(port: port)
            try await client.isReady(within: .seconds(5))
            try await subscription.value()
            try redis.cli(["PUBLISH", "room", "x"])
            try await eventually("heard") { heard.all.count == 1 }
        }
    }

    @Test func aKilledAndRestartedServerIsFoundAgainWithinFiveSeconds() async throws {
        let redis = try RedisServerProcess()
        let heard = Recorder<RedisMessage>()
        let events = Recorder<RedisEvent>()
        try await withClient(redis.configuration) { client in
            client.observe { events.add($0) }
            client.subscribe("room") { heard.add($0) }
            try await client.isReady()
            redis.kill()
            try await eventually("down", within: .seconds(1)) {
                if case .down = client.status.state { true } else { false }
            }
            do {
                _ = try await client.call("PING")
                Issue.record("a command passed")
            } catch let error as RedisError {
                #expect(!error.isOutcomeUnknown)
            }
            try await Task.sleep(for: .seconds(1))
            try redis.start()
            try await client.isReady(within: .seconds(5))
            #expect(events.all.contains(.reconnected(runIDChanged: true)))
            #expect(events.all.last == .stateChanged(.ready))
            #expect(client.status.reconnects == 1)
            #expect(try await client.call("PUBLISH", "room", "x").int == 1)
            try await eventually("heard") { heard.all.count == 1 }
        }
    }

    @Test func aLostConnectionToTheSameServerIsNotAnEmptyServer() async throws {
        let redis = try RedisServerProcess()
        let events = Recorder<RedisEvent>()
        try await withClient(redis.configuration) { client in
            client.observe { events.add($0) }
            try await client.isReady()
            try redis.cli(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            try await eventually("reconnected") {
                events.all.contains(.reconnected(runIDChanged: false))
            }
            try await client.isReady()
        }
    }

    @Test func whatIsInFlightWhenTheServerClosesFailsAsUnknown() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            let futures = (0..<10).map { _ in client.send(["BLPOP", "nothing", "0"]) }
            try await eventually("blocked") {
                try redis.cli(["INFO", "clients"]).contains("blocked_clients:1")
            }
            try redis.cli(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            for future in futures {
                do {
                    _ = try await future.value()
                    Issue.record("a reply came")
                } catch let error as RedisError {
                    #expect(error.isOutcomeUnknown)
                    guard case .connectionLost = error else {
                        Issue.record("\(error)")
                        continue
                    }
                }
            }
            try await client.isReady()
        }
    }

    @Test func aHungServerFailsCommandsByTheirDeadlineAndIsNotReady() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            redis.suspend()
            let start = ContinuousClock.now
            await #expect(throws: RedisError.timeout) {
                try await client.send(["GET", "k"], deadline: .milliseconds(400)).value()
            }
            let waited = ContinuousClock.now - start
            #expect(waited >= .milliseconds(400))
            #expect(waited < .milliseconds(1_200))
            #expect(client.status.state.problem?.code == .timeout)
            await #expect(throws: RedisError.self) { try await client.call("GET", "k") }
            try await Task.sleep(for: .seconds(3))
            guard case .down = client.status.state else {
                Issue.record("not down while hung: \(client.status.state)")
                return
            }
            redis.resume()
            try await client.isReady(within: .seconds(5))
            #expect(try await client.call("PING").string == "PONG")
            #expect(client.status.deadlineMisses == 1)
        }
    }

    @Test(arguments: [true, false])
    func aHungServerIsNoticedWithoutTraffic(subscribes: Bool) async throws {
        let redis = try RedisServerProcess()
        var configuration = redis.configuration
        configuration.subscribes = subscribes
        try await withClient(configuration) { client in
            try await client.isReady()
            redis.suspend()
            try await eventually("not ready", within: .seconds(3)) { !client.status.state.isReady }
            redis.resume()
            try await client.isReady(within: .seconds(5))
        }
    }

    @Test func manyRestartsLeaveOneConnectionOfEachKind() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            for _ in 0..<6 {
                try await client.isReady()
                redis.kill()
                try redis.start()
                try await eventually("noticed") { client.status.reconnects > 0 }
            }
            try await client.isReady()
            try await eventually("two connections") {
                let list = try redis.cli(["CLIENT", "LIST"]).split(separator: "\n")
                return list.filter { $0.contains("name=tandem") }.count == 2
            }
        }
    }

    @Test func aServerThatLoadsItsDataIsToldAsSuch() async throws {
        let redis = try RedisServerProcess(
            options: [
                "--appendonly", "yes", "--key-load-delay", "100",
                "--loading-process-events-interval-bytes", "1024",
            ])
        try redis.cli(["EVAL", "for i = 1, 20000 do redis.call('SET', i, i) end", "0"])
        redis.kill()
        let states = Recorder<RedisState>()
        try await withClient(redis.configuration) { client in
            client.onStateChange { states.add($0) }
            try redis.start()
            try await eventually("ready", within: .seconds(20)) { client.status.state.isReady }
            #expect(try await client.call("DBSIZE").int == 20_000)
        }
        #expect(states.all.contains { $0.problem?.code == .loading })
        #expect(states.all.last == .closed)
    }

    /// Without mercy the sweep would run before the command had even left.
    @Test func aProcessThatStoodStillDoesNotTakeRedisForHung() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            let reply = client.eventLoop.flatSubmit {
                let reply = client.send(["PING"], deadline: .milliseconds(300))
                usleep(1_000_000)
                return reply
            }
            #expect(try await reply.value().string == "PONG")
            #expect(client.status.reconnects == 0)
        }
    }

    @Test func sentinelNamesThePrimary() async throws {
        let primary = try RedisServerProcess()
        let sentinel = try sentinelProcess(primary: primary.port)
        let absent = try RedisServerProcess.freePort()
        let sentinels = RedisSentinels(
            addresses: [
                RedisAddress(host: "127.0.0.1", port: absent),
                RedisAddress(host: "127.0.0.1", port: sentinel.port),
            ], primaryName: "rooms")
        try await withClient(RedisConfiguration(sentinels: sentinels)) { client in
            try await client.isReady()
            #expect(client.status.server?.address.port == primary.port)
        }
        var unknown = sentinels
        unknown.primaryName = "other"
        try await withClient(RedisConfiguration(sentinels: unknown)) { client in
            try await eventually("no primary") { client.status.state.problem?.code == .noPrimary }
        }
    }

    @Test func afterAFailoverTheNewPrimaryIsUsed() async throws {
        let primary = try RedisServerProcess()
        let replica = try RedisServerProcess(options: ["--replicaof", "127.0.0.1 \(primary.port)"])
        let sentinel = try sentinelProcess(primary: primary.port)
        let sentinels = RedisSentinels(
            addresses: [RedisAddress(host: "127.0.0.1", port: sentinel.port)], primaryName: "rooms")
        try await withClient(RedisConfiguration(sentinels: sentinels)) { client in
            try await client.isReady()
            try await eventually("Sentinel knows the replica", within: .seconds(20)) {
                try sentinel.cli(["SENTINEL", "REPLICAS", "rooms"]).contains("\(replica.port)")
            }
            try await eventually("replica is linked", within: .seconds(20)) {
                try replica.cli(["INFO", "replication"]).contains("master_link_status:up")
            }
            primary.kill()
            try await eventually("new primary", within: .seconds(15)) {
                client.status.state.isReady && client.status.server?.address.port == replica.port
            }
            #expect(try await client.call("SET", "k", "v").string == "OK")
        }
    }

    /// The old primary lives on, takes writes and says that it is one.
    @Test func aPrimaryThatSentinelHasReplacedIsLeft() async throws {
        let (old, new) = (try RedisServerProcess(), try RedisServerProcess())
        let sentinel = try sentinelProcess(primary: old.port)
        let sentinels = RedisSentinels(
            addresses: [RedisAddress(host: "127.0.0.1", port: sentinel.port)], primaryName: "rooms")
        try await withClient(RedisConfiguration(sentinels: sentinels)) { client in
            let heard = Recorder<String>()
            client.subscribe("news") { _ in heard.add("news") }
            try await client.isReady()
            #expect(client.status.server?.address.port == old.port)
            try sentinel.cli(["SENTINEL", "REMOVE", "rooms"])
            try sentinel.cli(["SENTINEL", "MONITOR", "rooms", "127.0.0.1", "\(new.port)", "1"])
            try await eventually("the new primary", within: .seconds(15)) {
                client.status.state.isReady && client.status.server?.address.port == new.port
            }
            try new.cli(["PUBLISH", "news", "x"])
            try await eventually("messages come from it too") { heard.all == ["news"] }
            #expect(client.status.reconnects == 1)
        }
    }

    /// As it is after a failover, when the primary that failed has come back.
    @Test func aReplicaIsNotTakenForThePrimary() async throws {
        let primary = try RedisServerProcess()
        let replica = try RedisServerProcess(options: ["--replicaof", "127.0.0.1 \(primary.port)"])
        let sentinel = try sentinelProcess(primary: replica.port)
        let sentinels = RedisSentinels(
            addresses: [RedisAddress(host: "127.0.0.1", port: sentinel.port)], primaryName: "rooms")
        try await withClient(RedisConfiguration(sentinels: sentinels)) { client in
            try await eventually("it says why not") {
                client.status.state.problem?.code == .readOnly
            }
            #expect(client.status.server == nil)
            try replica.cli(["REPLICAOF", "NO", "ONE"])
            try await eventually("it is one now", within: .seconds(15)) {
                client.status.state.isReady
            }
        }
    }

    private func sentinelProcess(primary: Int) throws -> RedisServerProcess {
        try RedisServerProcess(
            sentinelConfiguration: """
                sentinel monitor rooms 127.0.0.1 \(primary) 1
                sentinel down-after-milliseconds rooms 1000
                sentinel failover-timeout rooms 5000
                """)
    }
}
