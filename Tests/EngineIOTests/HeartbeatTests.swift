import Testing

@testable import EngineIO

@Suite struct HeartbeatTests {
    private func make() -> Heartbeat {
        Heartbeat(pingInterval: 10, pongPatience: 25, now: 100)
    }

    @Test func pingsKeepTheirPaceWithoutPongs() {
        var heartbeat = make()
        #expect(heartbeat.timePassed(now: 109) == .nothing)
        #expect(heartbeat.timePassed(now: 110) == .ping)
        #expect(heartbeat.timePassed(now: 110) == .nothing)
        #expect(heartbeat.timePassed(now: 120) == .ping)
        #expect(heartbeat.timePassed(now: 130) == .ping)
    }

    @Test func silenceAfterAPingIsATimeout() {
        var heartbeat = make()
        #expect(heartbeat.timePassed(now: 110) == .ping)
        #expect(heartbeat.timePassed(now: 134) == .ping)
        #expect(heartbeat.nextDeadline == 135)
        #expect(heartbeat.timePassed(now: 135) == .timeout)
    }

    @Test func aPongEndsTheWait() {
        var heartbeat = make()
        _ = heartbeat.timePassed(now: 110)
        heartbeat.receivedPong(now: 115)
        #expect(heartbeat.nextDeadline == 120)
        #expect(heartbeat.timePassed(now: 140) == .ping)
        #expect(heartbeat.timePassed(now: 164) == .ping)
        #expect(heartbeat.timePassed(now: 165) == .timeout)
    }

    @Test func aClientInTheMiddleOfABigUploadIsNotGone() {
        var heartbeat = make()
        _ = heartbeat.timePassed(now: 110)
        heartbeat.heard(now: 134)
        #expect(heartbeat.timePassed(now: 135) == .ping)
        #expect(heartbeat.timePassed(now: 158) == .ping)
        #expect(heartbeat.timePassed(now: 159) == .timeout)
    }

    @Test func inRevision3TheClientPingsAndSilenceIsATimeout() {
        var heartbeat = Heartbeat(pingInterval: 10, pongPatience: 25, revision: .three, now: 100)
        #expect(heartbeat.nextDeadline == 135)
        #expect(heartbeat.timePassed(now: 134) == .nothing)
        heartbeat.heard(now: 134)
        #expect(heartbeat.nextDeadline == 169)
        heartbeat.receivedPong(now: 140)
        #expect(heartbeat.timePassed(now: 174) == .nothing)
        #expect(heartbeat.timePassed(now: 175) == .timeout)
    }

    @Test func aLateClockSkipsPingsAndSendsOne() {
        var heartbeat = make()
        #expect(heartbeat.timePassed(now: 100_000) == .ping)
        #expect(heartbeat.timePassed(now: 100_001) == .nothing)
    }
}
