import Testing

@testable import Redis

@Suite struct RedisConfigurationTests {
    @Test func aFullURLIsRead() throws {
        let configuration = try RedisConfiguration(url: "redis://bob:se%20cret@redis.local:6380/3")
        #expect(configuration.address == RedisAddress(host: "redis.local", port: 6_380))
        #expect(configuration.username == "bob")
        #expect(configuration.password?.value == "se cret")
        #expect(configuration.database == 3)
        #expect(configuration.tls == nil)
    }

    @Test func whatIsLeftOutHasItsDefault() throws {
        for url in ["redis://localhost", "REDIS://localhost/", "redis://localhost:6379/0"] {
            let configuration = try RedisConfiguration(url: url)
            #expect(configuration.address == RedisAddress(host: "localhost", port: 6_379))
            #expect(configuration.username == nil)
            #expect(configuration.password == nil)
            #expect(configuration.database == 0)
        }
    }

    @Test func aPasswordMayStandAloneAndHoldAnything() throws {
        let configuration = try RedisConfiguration(url: "redis://:p@ss/w:ord%25@h")
        #expect(configuration.username == nil)
        #expect(configuration.password?.value == "p@ss/w:ord%")
        #expect(configuration.address.host == "h")
    }

    @Test func redissIsTLSWithAnAuthorityOfOnesOwn() throws {
        #expect(try RedisConfiguration(url: "rediss://h").tls != nil)
        let tls = try RedisConfiguration(url: "rediss://h/1?ca=%2Ftmp%2Fca.pem").tls
        #expect(tls?.trustRoots == .file("/tmp/ca.pem"))
    }

    @Test func anIPv6AddressStandsInBrackets() throws {
        let address = try RedisConfiguration(url: "redis://[::1]:7000/2").address
        #expect(address == RedisAddress(host: "::1", port: 7_000))
        #expect(address.description == "[::1]:7000")
        #expect(try RedisConfiguration(url: "redis://[::1]").address.port == 6_379)
    }

    static let refused = [
        "", "localhost", "http://h", "redis://", "redis://:6379", "redis://h:port", "redis://h:0",
        "redis://h:65536", "redis://h:+1", "redis://h/x", "redis://h/-1", "redis://h/1/2",
        "redis://user@h", "redis://user:@h", "redis://u:%zz@h", "redis://u:%4@h", "redis://u:%ff@h",
        "redis://h?ca=x", "rediss://h?ca=", "rediss://h?verify=no", "redis://[::1",
        "redis://[::1]x",
        "redis://h h", "redis://h/99999999999999999999", "redis://u:%+1@h",
    ]

    @Test(arguments: refused)
    func aMalformedURLIsRefused(url: String) {
        #expect(throws: RedisURLError.self) { try RedisConfiguration(url: url) }
    }

    @Test(arguments: [
        "redis://hunter2", "redis://:hunter2@", "redis://:hunter2@h:x", "redis://u:hunter2?x@h",
        "redis://u:hunter2", "hunter2@h", "redis://u:hunter2%@h", "redis://hunter2@h",
        "redis://u:hunter2@h/?hunter2",
    ])
    func noErrorShowsThePassword(url: String) {
        do {
            let configuration = try RedisConfiguration(url: url)
            let isHost = configuration.address.host == "hunter2"
            #expect(isHost || configuration.password?.value.contains("hunter2") == true)
            #expect(isHost || !"\(configuration)".contains("hunter2"))
        } catch {
            #expect(!String(describing: error).contains("hunter2"))
            #expect(!String(reflecting: error).contains("hunter2"))
        }
    }

    @Test func noDescriptionShowsThePassword() throws {
        let configuration = try RedisConfiguration(url: "redis://u:hunter2@h:1/2")
        var dumped = ""
        dump(configuration, to: &dumped)
        for text in [dumped, "\(configuration)", String(reflecting: configuration)] {
            #expect(!text.contains("hunter2"))
        }
        #expect(configuration.description == "redis://h:1/2")
    }

    @Test func aListOfSentinelsIsRead() throws {
        let named = try RedisSentinels(parsing: "rooms@a:1,b,[::1]:3")
        #expect(named.primaryName == "rooms")
        #expect(named.addresses.map(\.description) == ["a:1", "b:26379", "[::1]:3"])
        #expect(try RedisSentinels(parsing: "a").primaryName == "mymaster")
        for text in ["", "a,,b", "@a", "a:x", "m@"] {
            #expect(throws: RedisURLError.self) { try RedisSentinels(parsing: text) }
        }
    }
}
