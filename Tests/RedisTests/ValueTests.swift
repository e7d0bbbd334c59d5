import NIOCore
import Testing

@testable import Redis

@Suite struct SHA1Tests {
    /// FIPS 180-4 examples, and lengths around the block size checked with sha1sum.
    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
        (String(repeating: "a", count: 55), "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        (String(repeating: "a", count: 56), "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
        (String(repeating: "a", count: 63), "03f09f5b158a7a8cdad920bddc29b81c18a551f5"),
        (String(repeating: "a", count: 64), "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
    ])
    func digestsAreThoseOfTheStandard(message: String, digest: String) {
        #expect(SHA1.hexDigest(message.utf8) == digest)
    }
}

@Suite struct CircuitBreakerTests {
    enum Step: Sendable {
        case lost, missed, answered, succeeded, failed
        case begin(Bool)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let steps: [(atMilliseconds: Int64, step: Step)]
        let end: CircuitBreaker.State

        var testDescription: String { name }
    }

    static func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(0) + .milliseconds(milliseconds)
    }

    static func up(_ time: Int64) -> [(Int64, Step)] { [(time, .begin(true)), (time, .succeeded)] }

    static let twoMisses = up(0) + [(1, .missed)] + up(1) + [(2, .missed)] + up(2)

    static let rows = [
        Row(
            name: "it starts open and lets a trial begin", steps: [(0, .begin(true))],
            end: .halfOpen),
        Row(
            name: "one trial at a time", steps: [(0, .begin(true)), (9, .begin(false))],
            end: .halfOpen),
        Row(name: "a trial that succeeds closes it", steps: up(0), end: .closed),
        Row(
            name: "a trial that fails opens it", steps: [(0, .begin(true)), (7, .failed)],
            end: .open(until: at(7))),
        Row(
            name: "no trial begins while closed", steps: up(0) + [(5, .begin(false))], end: .closed),
        Row(
            name: "a lost connection opens it, free for a trial at once",
            steps: up(0) + [(5, .lost)], end: .open(until: at(5))),
        Row(
            name: "a loss during a trial is the trial's affair",
            steps: [(0, .begin(true)), (1, .lost)], end: .halfOpen),
        Row(
            name: "a success without a trial changes nothing", steps: [(0, .succeeded)],
            end: .open(until: at(0))),
        Row(
            name: "the third deadline missed in a row adds the cooldown",
            steps: twoMisses + [(3, .missed)],
            end: .open(until: at(1_003))),
        Row(
            name: "an answer ends the row",
            steps: twoMisses + [(3, .answered), (4, .missed)],
            end: .open(until: at(4))),
        Row(
            name: "no trial begins before the cooldown is over",
            steps: twoMisses + [(3, .missed), (1_002, .begin(false))],
            end: .open(until: at(1_003))),
        Row(
            name: "a trial begins when the cooldown is over",
            steps: twoMisses + [(3, .missed), (1_003, .begin(true))],
            end: .halfOpen),
    ]

    @Test(arguments: rows)
    func transitionsFollowTheDiagram(row: Row) {
        var breaker = CircuitBreaker(maxMisses: 3, cooldown: .seconds(1), now: Self.at(0))
        for (time, step) in row.steps {
            let now = Self.at(time)
            switch step {
            case .lost: breaker.connectionLost(at: now)
            case .missed: breaker.deadlineMissed(at: now)
            case .answered: breaker.commandAnswered()
            case .succeeded: breaker.trialSucceeded()
            case .failed: breaker.trialFailed(at: now)
            case .begin(let isAllowed):
                #expect(breaker.beginTrial(at: now) == isAllowed)
            }
        }
        #expect(breaker.state == row.end)
        #expect(breaker.admitsCommands == (row.end == .closed))
    }
}

@Suite struct BackoffTests {
    @Test func theBoundDoublesToItsMaximumAndStartsAnew() {
        var backoff = Backoff(minimum: .milliseconds(50), maximum: .seconds(1))
        var generator = SystemRandomNumberGenerator()
        var bounds: [Duration] = []
        for _ in 0..<8 {
            bounds.append(backoff.bound)
            let wait = backoff.next(using: &generator)
            #expect(wait >= Backoff.floor)
            #expect(wait <= max(Backoff.floor, bounds[bounds.count - 1]))
        }
        #expect(bounds.prefix(6).map { $0 / .milliseconds(1) } == [50, 100, 200, 400, 800, 1_000])
        #expect(bounds.last == .seconds(1))
        backoff.reset()
        #expect(backoff.bound == .milliseconds(50))
    }

    @Test func waitsAreSpreadOverTheWholeRange() {
        var generator = SystemRandomNumberGenerator()
        var backoff = Backoff(minimum: .seconds(1), maximum: .seconds(1))
        let waits = (0..<400).map { _ in backoff.next(using: &generator) }
        #expect(waits.contains { $0 < .milliseconds(250) })
        #expect(waits.contains { $0 > .milliseconds(750) })
    }
}

@Suite struct RedisErrorTests {
    @Test(arguments: [
        ("WRONGTYPE not a list", "WRONGTYPE", "not a list"), ("ERR", "ERR", ""),
        ("custom text of a script", "ERR", "custom text of a script"), ("", "ERR", ""),
        ("NO_ROOM x", "NO_ROOM", "x"),
    ])
    func anErrorLineIsSplitIntoCodeAndMessage(line: String, code: String, message: String) {
        #expect(RedisError(errorLine: line) == .server(code: code, message: message))
    }

    @Test func onlyWhatWasSentMayHaveBeenCarriedOut() {
        let problem = RedisProblem(.connectionLost, "x")
        #expect(RedisError.timeout.isOutcomeUnknown)
        #expect(RedisError.connectionLost(problem).isOutcomeUnknown)
        #expect(!RedisError.unavailable(problem).isOutcomeUnknown)
        #expect(!RedisError.overloaded.isOutcomeUnknown)
        #expect(!RedisError.closed.isOutcomeUnknown)
        #expect(!RedisError.server(code: "ERR", message: "").isOutcomeUnknown)
    }
}
