import Testing

@testable import SocketIOServer

@Suite struct ReadingPaceTests {
    private func pace() -> ReadingPace { ReadingPace(period: 30_000, bytes: 100) }

    @Test func whoTakesNothingIsTooSlowWhenThePeriodIsOver() {
        var pace = pace()
        let answers = stride(from: Int64(5_000), through: 36_000, by: 1_000)
            .map { pace.isTooSlow(taken: 7, now: $0) }
        #expect(answers.firstIndex(of: true) == 30)
    }

    @Test func whoTakesEnoughInEachPeriodIsNot() {
        var pace = pace()
        let answers = (0..<600).map { pace.isTooSlow(taken: $0 * 4, now: Int64($0) * 1_000) }
        #expect(!answers.contains(true))
    }

    @Test func oneBurstAPeriodIsEnough() {
        var pace = pace()
        let answers = (0..<600).map {
            pace.isTooSlow(taken: ($0 + 29) / 30 * 100, now: Int64($0) * 1_000)
        }
        #expect(!answers.contains(true))
    }

    @Test func whoTakesALittleLessThanEnoughIsTooSlow() {
        var pace = pace()
        let answers = (0..<40).map { pace.isTooSlow(taken: $0 * 3, now: Int64($0) * 1_000) }
        #expect(answers.firstIndex(of: true) == 30)
    }

    @Test func timeBeforeAResetDoesNotCount() {
        var pace = pace()
        _ = pace.isTooSlow(taken: 0, now: 0)
        pace.reset()
        let answers = [31_000, 60_000, 61_000].map { pace.isTooSlow(taken: 0, now: $0) }
        #expect(answers == [false, false, true])
    }
}
