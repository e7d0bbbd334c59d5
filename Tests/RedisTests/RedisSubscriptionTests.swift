import Redis
import TestKit
import Testing

@Suite(.serialized, .timeLimit(.minutes(1))) struct RedisSubscriptionTests {
    @Test func messagesOfChannelsAndPatternsArriveInOrder() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            let direct = Recorder<RedisMessage>()
            let matched = Recorder<RedisMessage>()
            try await client.subscribe("room:1") { direct.add($0) }.value()
            try await client.psubscribe("room:*") { matched.add($0) }.value()
            try await client.isReady()
            let sent = (0..<200).map { client.send(["PUBLISH", "room:1", RESPArgument($0)]) }
            for reply in sent { #expect(try await reply.value().int == 2) }
            try redis.cli(["PUBLISH", "room:2", "from another client"])
            try await eventually("all heard") {
                matched.all.count == 201 && direct.all.count == 200
            }
            #expect(
                direct.all.map { String(decoding: $0.payload, as: UTF8.self) }
                    == (0..<200).map(String.init))
            #expect(direct.all.allSatisfy { $0.channel == "room:1" && $0.pattern == nil })
            #expect(matched.all.last?.channel == "room:2")
            #expect(matched.all.last?.pattern == "room:*")
        }
    }

    @Test func aConfirmedSubscriptionMissesNothingPublishedAfterwards() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            try await client.isReady()
            for round in 0..<100 {
                let heard = Recorder<RedisMessage>()
                let channel = "c\(round)"
                try await client.subscribe(channel) { heard.add($0) }.value()
                let receivers = try await client.call("PUBLISH", RESPArgument(channel), "x")
                #expect(receivers.int == 1)
                try await eventually("heard") { heard.all.count == 1 }
            }
        }
    }

    @Test func anEndedSubscriptionIsSilentAndMayBeginAgain() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            let first = Recorder<RedisMessage>()
            let second = Recorder<RedisMessage>()
            try await client.subscribe("room") { first.add($0) }.value()
            client.unsubscribe("room")
            let again = client.subscribe("room") { second.add($0) }
            try await again.value()
            #expect(try await client.call("PUBLISH", "room", "x").int == 1)
            try await eventually("heard") { second.all.count == 1 }
            #expect(first.all.isEmpty)
            client.unsubscribe("room")
            try await eventually("unsubscribed") {
                try await client.call("PUBLISH", "room", "x").int == 0
            }
            #expect(second.all.count == 1)
        }
    }

    @Test func thousandsOfSubscriptionsAreRestored() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            let heard = Recorder<RedisMessage>()
            let waits = (0..<2_300).map { number in
                client.subscribe("room:\(number)") { heard.add($0) }
            }
            for wait in waits { try await wait.value() }
            try await client.isReady()
            redis.kill()
            try await eventually("down") { !client.status.state.isReady }
            try redis.start()
            try await client.isReady()
            for number in 0..<2_300 {
                _ = client.send(["PUBLISH", RESPArgument("room:\(number)"), "x"])
            }
            try await eventually("all heard") { heard.all.count == 2_300 }
        }
    }

    @Test func aKilledSubscriptionIsNoticedToldAndRestored() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            let events = Recorder<RedisEvent>()
            let heard = Recorder<RedisMessage>()
            client.observe { events.add($0) }
            try await client.subscribe("room") { heard.add($0) }.value()
            try await client.isReady()
            try redis.cli(["CLIENT", "KILL", "TYPE", "pubsub"])
            try await eventually("lost and ready again") {
                let all = events.all
                guard
                    let lost = all.firstIndex(where: {
                        if case .subscriptionLost = $0 { true } else { false }
                    })
                else { return false }
                return all[lost...].contains(.subscriptionReady)
            }
            try await client.isReady()
            #expect(client.status.reconnects == 0, "the command connection was not touched")
            #expect(client.status.subscriptionsLost == 1)
            #expect(try await client.call("PUBLISH", "room", "x").int == 1)
            try await eventually("heard") { heard.all.count == 1 }
        }
    }

    @Test func aConnectionThatHearsNothingIsReplacedByTheProbe() async throws {
        let redis = try RedisServerProcess()
        try await withClient(redis.configuration) { client in
            let events = Recorder<RedisEvent>()
            client.observe { events.add($0) }
            try await client.isReady()
            #expect(client.status.isSubscriptionHealthy)
            let pubsub = try redis.cli(["CLIENT", "LIST", "TYPE", "pubsub"])
            #expect(pubsub.split(separator: "\n").count == 1)
            // Publishing fails from here on, so the probe is not heard; nothing else changes.
            try redis.cli(["ACL", "SETUSER", "default", "-publish"])
            try await eventually("degraded") {
                if case .degraded = client.status.state { true } else { false }
            }
            try await eventually("lost", within: .seconds(5)) {
                events.all.contains {
                    if case .subscriptionLost(let problem) = $0 {
                        problem.code == .subscriptionSilent
                    } else {
                        false
                    }
                }
            }
            #expect(!client.status.isSubscriptionHealthy)
            try redis.cli(["ACL", "SETUSER", "default", "+publish"])
            try await client.isReady()
            #expect(client.status.isSubscriptionHealthy)
        }
    }
}
