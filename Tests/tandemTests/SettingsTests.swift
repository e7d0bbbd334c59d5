import Cluster
import Redis
import RoomService
import SocketIOServer
import Testing

@testable import tandem

@Suite struct SettingsTests {
    private static let pair =
        "server-1=127.0.0.1:3001=http://localhost:3001,"
        + "server-2=127.0.0.1:3002=http://localhost:3002=2"

    private func problems(_ environment: [String: String], file: String? = nil) -> [String] {
        do throws(Settings.Invalid) {
            _ = try Settings(
                environment: environment,
                file: file.map { EnvironmentFile(text: $0, name: "test.env") })
            return []
        } catch {
            return error.problems
        }
    }

    // MARK: Defaults

    @Test func nothingSetIsOneEmbeddedInstance() throws {
        let settings = try Settings(environment: [:])
        #expect(settings.isEmbedded)
        #expect(settings.host == "0.0.0.0" && settings.port == 3001)
        #expect(settings.nodes.nodes.map(\.id) == ["server-1"])
        #expect(settings.node.publicURL.text == "http://localhost:3001")
        #expect(settings.pingInterval == .seconds(5) && settings.pingTimeout == .seconds(9))
        let untilSilenceIsSeen = settings.pingInterval + settings.pongPatience
        #expect(untilSilenceIsSeen <= .milliseconds(14_500), "no ghost for 15 s")
        #expect(settings.pongPatience >= .seconds(8), "a browser that parses a scene is no ghost")
        #expect(settings.hostGrace == .seconds(60) && settings.emptyRoomTTL == .seconds(3_600))
        #expect(settings.heartbeatInterval == .seconds(1) && settings.nodeLease == .seconds(5))
        #expect(settings.drainDelay == .seconds(2) && settings.drainWindow == .seconds(2))
        #expect(settings.maxPayloadBytes >= 16_000_000)
        #expect(settings.adminToken == nil && settings.clientDirectory == ".tandem/client")
        #expect(settings.language == .english && settings.logFormat == .text)
        #expect(settings.logLevel == .info && settings.eventLoops >= 1)
        #expect(settings.trustedProxies == AddressRange.loopback)
    }

    @Test func broadcastsAreMirroredWhereThatIsAskedForAndThereIsRedis() throws {
        let redis = ["REDIS_URL": "redis://127.0.0.1:6379"]
        #expect(try !Settings(environment: redis).mirrorsOfficially)
        for (text, mirrors) in [("0", false), ("1", true)] {
            let settings = try Settings(environment: redis.merging(["RELAY_OFFICIAL": text]) { $1 })
            #expect(settings.mirrorsOfficially == mirrors)
        }
        #expect(
            problems(["RELAY_OFFICIAL": "1"])
                == ["RELAY_OFFICIAL: it needs Redis: set REDIS_URL or REDIS_HOST"])
        #expect(
            problems(redis.merging(["RELAY_OFFICIAL": "yes"]) { $1 })
                == ["RELAY_OFFICIAL: 'yes' is not a whole number from 0 to 1"])
    }

    @Test func emptyVariablesAreUnset() throws {
        let nothing = Dictionary(uniqueKeysWithValues: Variable.allCases.map { ($0.rawValue, "") })
        #expect(try Settings(environment: nothing).port == 3001)
    }

    @Test func anInstanceAloneIsCalledAsItsPortAndNameSay() throws {
        let settings = try Settings(environment: ["PORT": "3003", "INSTANCE_ID": "three"])
        #expect(settings.node.id == "three" && settings.node.upstream == "127.0.0.1:3003")
        #expect(settings.node.publicURL.text == "http://localhost:3003")
        let named = try Settings(environment: ["PUBLIC_URL": "https://rooms.example.org"])
        #expect(named.node.publicURL.text == "https://rooms.example.org")
        #expect(named.origins.allows("https://rooms.example.org"))
    }

    // MARK: Limits

    @Test func theLimitsOfClientsAreSetByTheirVariables() throws {
        let settings = try Settings(environment: [
            "MAX_CONNECTIONS": "500", "MAX_CONNECTIONS_PER_ADDRESS": "50",
            "MAX_CONNECTS_PER_SECOND": "7", "MAX_EVENTS_PER_SECOND": "9",
            "MAX_EVENTS_PER_SECOND_PER_ADDRESS": "11", "MAX_ROOMS": "12",
            "MAX_ROOMS_PER_MINUTE": "13", "MAX_ROOM_MEMBERS": "14",
        ])
        var transport = ServerOptions.Limits()
        settings.limits.apply(to: &transport)
        #expect(transport.maxConnections == 500 && transport.maxSessionsPerAddress == 50)
        #expect(transport.maxConnectionsPerAddress == 70)
        #expect(transport.sessionsPerSecondPerAddress == 7)
        #expect(transport.sessionBurstPerAddress == 35)
        var rooms = RoomServiceOptions()
        settings.limits.apply(to: &rooms)
        #expect(rooms.limits.eventsPerSecond == 9 && rooms.limits.eventBurst == 36)
        #expect(rooms.limits.eventsPerSecondPerAddress == 11)
        #expect(rooms.limits.eventBurstPerAddress == 22)
        #expect(rooms.limits.rooms == 12 && rooms.limits.roomsCreatedPerMinute == 13)
        #expect(rooms.room.members == 14)
    }

    @Test func withoutVariablesTheLimitsAreThoseOfTheirTypes() throws {
        let limits = try Settings(environment: [:]).limits
        var transport = ServerOptions.Limits()
        var rooms = RoomServiceOptions()
        let before = (transport, rooms.limits, rooms.room)
        limits.apply(to: &transport)
        limits.apply(to: &rooms)
        #expect(transport.sessionBurstPerAddress == before.0.sessionBurstPerAddress)
        #expect(rooms.limits == before.1 && rooms.room == before.2)
    }

    @Test func connectionsLeaveFilesForTheRest() {
        #expect(FileLimit.connections(wished: 50_000, files: 1_024) == 960)
        #expect(FileLimit.connections(wished: 500, files: 1_024) == 500)
        #expect(FileLimit.connections(wished: 500, files: 10) == 1)
        #expect(FileLimit.connections(wished: 500, files: nil) == 500)
        #expect((FileLimit.raise() ?? 1_000) > FileLimit.reserve)
    }

    // MARK: Cluster

    @Test(arguments: [("3001", "server-1"), ("3002", "server-2")])
    func thePortSaysWhichNodeOfTheClusterThisIs(port: String, id: String) throws {
        let settings = try Settings(environment: ["CLUSTER_NODES": Self.pair, "PORT": port])
        #expect(settings.node.id == id)
        #expect(settings.nodes.nodes.map(\.server.weight) == [1, 2])
        #expect(settings.origins.allows("http://localhost:3002"))
    }

    @Test(arguments: [("3001", "server-1"), ("3002", "server-2"), ("8080", "server-8080")])
    func withoutAListOfNodesThePortMakesTheName(port: String, id: String) throws {
        let settings = try Settings(environment: ["PORT": port])
        #expect(settings.node.id == id && settings.nodes.nodes.map(\.id) == [id])
    }

    @Test func theNameGoesBeforeThePort() throws {
        let settings = try Settings(
            environment: ["CLUSTER_NODES": Self.pair, "PORT": "3001", "INSTANCE_ID": "server-2"])
        #expect(settings.node.id == "server-2")
    }

    @Test func aPortOfNoNodeIsNotTakenForTheFirst() {
        #expect(
            problems(["CLUSTER_NODES": Self.pair, "PORT": "3003"]) == [
                "INSTANCE_ID: needed, because not just one node of CLUSTER_NODES has PORT 3003"
            ])
    }

    @Test func aPortOfTwoNodesIsNotTakenForTheFirst() throws {
        let nodes = "a=one:3001=http://a.example,b=two:3001=http://b.example"
        #expect(problems(["CLUSTER_NODES": nodes]).count == 1)
        #expect(
            try Settings(environment: ["CLUSTER_NODES": nodes, "INSTANCE_ID": "b"]).node.upstream
                == "two:3001")
    }

    @Test func theOnlyNodeNeedsNoName() throws {
        let settings = try Settings(
            environment: ["CLUSTER_NODES": "a=one:3001=http://a.example", "PORT": "9000"])
        #expect(settings.node.id == "a" && settings.port == 9_000)
    }

    @Test func aNameOutsideTheClusterIsRefused() {
        #expect(
            problems(["CLUSTER_NODES": Self.pair, "INSTANCE_ID": "server-9"])
                == ["INSTANCE_ID: 'server-9' is not among the ids of CLUSTER_NODES"])
        #expect(
            problems(["INSTANCE_ID": "a b"]).first?.hasPrefix("INSTANCE_ID: 'a b' is not made")
                == true)
    }

    @Test func aPublicURLThatDiffersFromTheClustersIsRefused() throws {
        let other = ["CLUSTER_NODES": Self.pair, "PUBLIC_URL": "http://localhost:9"]
        #expect(problems(other).count == 1 && problems(other)[0].hasPrefix("PUBLIC_URL: "))
        let same = ["CLUSTER_NODES": Self.pair, "PUBLIC_URL": "http://localhost:3001"]
        #expect(problems(same).isEmpty)
    }

    // MARK: Redis

    @Test func redisIsReadFromItsParts() throws {
        let redis = try #require(
            try Settings(environment: [
                "REDIS_HOST": "10.0.0.5", "REDIS_PORT": "6380", "REDIS_USERNAME": "tandem",
                "REDIS_PASSWORD": "secret", "REDIS_DB": "3",
            ]).redis)
        #expect(redis.address == RedisAddress(host: "10.0.0.5", port: 6380))
        #expect(redis.username == "tandem" && redis.password == "secret" && redis.database == 3)
    }

    @Test func redisIsReadFromAURL() throws {
        let redis = try #require(
            try Settings(environment: ["REDIS_URL": "redis://u:p@h:7000/2"]).redis)
        #expect(redis.address == RedisAddress(host: "h", port: 7000))
        #expect(redis.username == "u" && redis.password == "p" && redis.database == 2)
    }

    @Test func sentinelsAloneTakePasswordAndDatabaseFromTheParts() throws {
        let redis = try #require(
            try Settings(environment: [
                "REDIS_SENTINELS": "main@10.0.0.1:26379,10.0.0.2", "REDIS_PASSWORD": "secret",
                "REDIS_DB": "4", "REDIS_USERNAME": "tandem",
            ]).redis)
        #expect(redis.sentinels?.primaryName == "main")
        #expect(redis.sentinels?.addresses.count == 2)
        #expect(redis.password == "secret" && redis.username == "tandem" && redis.database == 4)
    }

    @Test func sentinelsGoWithAURL() throws {
        let redis = try #require(
            try Settings(environment: [
                "REDIS_URL": "redis://:p@h:7000/2", "REDIS_SENTINELS": "10.0.0.1:26379",
            ]).redis)
        #expect(redis.sentinels != nil && redis.password == "p" && redis.database == 2)
    }

    @Test func aPasswordThatWouldNotBeUsedIsRefused() {
        let found = problems([
            "REDIS_URL": "redis://h", "REDIS_HOST": "h", "REDIS_PASSWORD": "secret",
            "REDIS_USERNAME": "u",
        ])
        #expect(
            found == [
                "REDIS_HOST: REDIS_URL is set too: set one of them",
                "REDIS_USERNAME: REDIS_URL is set too: write it into the URL",
                "REDIS_PASSWORD: REDIS_URL is set too: write it into the URL",
            ])
    }

    // MARK: Values

    @Test func everyOtherVariableIsRead() throws {
        let settings = try Settings(environment: [
            "HOST": "127.0.0.1", "CORS_ORIGINS": " https://a.example , https://*.b.example,",
            "TRUSTED_PROXIES": "10.0.0.0/8, ::1", "PING_INTERVAL": "2000",
            "PING_TIMEOUT": "1000", "MAX_HTTP_BUFFER_SIZE": "20000000", "HOST_GRACE": "0",
            "EMPTY_ROOM_TTL": "1000", "HEARTBEAT_INTERVAL": "200", "NODE_LEASE": "600",
            "DRAIN_DELAY": "0", "DRAIN_WINDOW": "100", "CLIENT_LANGUAGE": "ES",
            "EVENT_LOOPS": "3", "ADMIN_TOKEN": "0123456789abcdef", "LOG_LEVEL": "Debug",
            "LOG_FORMAT": "json",
        ])
        #expect(settings.host == "127.0.0.1")
        #expect(settings.origins.patterns == ["https://a.example", "https://*.b.example"])
        #expect(!settings.origins.allows("http://localhost:3001"))
        #expect(settings.trustedProxies.contains { $0.contains("10.200.0.1") })
        #expect(!settings.trustedProxies.contains { $0.contains("127.0.0.1") })
        #expect(settings.pingInterval == .seconds(2) && settings.pingTimeout == .seconds(1))
        #expect(settings.maxPayloadBytes == 20_000_000 && settings.hostGrace == .zero)
        #expect(settings.emptyRoomTTL == .seconds(1))
        #expect(settings.heartbeatInterval == .milliseconds(200))
        #expect(settings.nodeLease == .milliseconds(600))
        #expect(settings.drainDelay == .zero && settings.drainWindow == .milliseconds(100))
        #expect(settings.language == .spanish && settings.eventLoops == 3)
        #expect(settings.adminToken == "0123456789abcdef")
        #expect(settings.logLevel == .debug && settings.logFormat == .json)
    }

    @Test(arguments: [
        ("PORT", "0"), ("PORT", "65536"), ("PORT", "3001 "), ("PORT", "99999999999999999999"),
        ("PING_INTERVAL", "99"), ("PING_TIMEOUT", "300001"), ("MAX_HTTP_BUFFER_SIZE", "15999999"),
        ("HOST_GRACE", "-1"), ("EMPTY_ROOM_TTL", "999"), ("HEARTBEAT_INTERVAL", "1.5"),
        ("NODE_LEASE", "60001"), ("DRAIN_DELAY", "x"), ("DRAIN_WINDOW", "600001"),
        ("CLIENT_LANGUAGE", "fr"), ("EVENT_LOOPS", "0"), ("ADMIN_TOKEN", "short"),
        ("LOG_LEVEL", "loud"), ("LOG_FORMAT", "xml"), ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("PUBLIC_URL", "localhost:3001"), ("REDIS_URL", "http://h"),
        ("REDIS_SENTINELS", ":x"), ("CLUSTER_NODES", "a"), ("INSTANCE_ID", "ä"),
    ])
    func aValueOutOfBoundsIsNamed(name: String, value: String) {
        let found = problems([name: value])
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("\(name): ") == true)
    }

    @Test func aLeaseMustOutliveThreeHeartbeats() {
        #expect(
            problems(["HEARTBEAT_INTERVAL": "1000", "NODE_LEASE": "2999"])
                == ["NODE_LEASE: it must be at least three times HEARTBEAT_INTERVAL"])
        #expect(problems(["HEARTBEAT_INTERVAL": "1000", "NODE_LEASE": "3000"]).isEmpty)
    }

    @Test func everyProblemIsToldAtOnce() {
        let found = problems(
            [
                "PORT": "many", "CLUSTER_NODES": "server-1,server-2", "PUBLIC_URL": "nowhere",
                "REDIS_HOST": "h", "REDIS_PORT": "0", "REDIS_DB": "-1", "PING_INTERVAL": "soon",
                "LOG_LEVEL": "loud", "TRUSTED_PROXIES": "here,there",
            ], file: "no assignment")
        let names = found.map { String($0.prefix { $0 != ":" && $0 != "," }) }
        #expect(
            names.sorted() == [
                "CLUSTER_NODES", "CLUSTER_NODES", "LOG_LEVEL", "PING_INTERVAL", "PORT",
                "PUBLIC_URL", "REDIS_DB", "REDIS_PORT", "TRUSTED_PROXIES", "TRUSTED_PROXIES",
                "test.env",
            ])
    }

    @Test func secretsAreInNoProblem() {
        let found = problems([
            "ADMIN_TOKEN": "quiet", "REDIS_URL": "redis://:hush-hush@h:notaport",
            "REDIS_PASSWORD": "hush-hush",
        ])
        #expect(found.count == 3)
        #expect(!found.joined().contains("quiet") && !found.joined().contains("hush-hush"))
    }

    // MARK: The file

    @Test func theEnvironmentGoesBeforeTheFile() throws {
        let file = EnvironmentFile(
            text: "PORT=3002\nHOST=10.0.0.1\nLOG_LEVEL=debug", name: "test.env")
        let settings = try Settings(
            environment: ["PORT": "3003", "LOG_LEVEL": ""], file: file)
        #expect(settings.port == 3_003 && settings.host == "10.0.0.1")
        #expect(settings.logLevel == .debug)
    }

    // MARK: Variables

    @Test(arguments: Variable.allCases)
    func eachVariableIsExplained(variable: Variable) {
        #expect(variable.help.count > 10)
        let isUpperCase = variable.rawValue.utf8.allSatisfy {
            (0x41...0x5a).contains($0) || $0 == 0x5f
        }
        #expect(isUpperCase)
    }

    @Test func whatMustNotBeShownIsSecret() {
        let secrets = Variable.allCases.filter(\.isSecret).map(\.rawValue)
        #expect(secrets == ["REDIS_URL", "REDIS_PASSWORD", "ADMIN_TOKEN"])
    }
}
