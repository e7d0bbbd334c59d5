import Testing

@testable import LoadTool

@Suite struct OpenLoopScheduleTests {
    @Test func eachSenderSendsAtItsRateAndTheyAreSpreadEvenly() {
        let schedule = OpenLoopSchedule(start: 1_000, senders: 4, rate: 10)
        let times = (0..<12).map { schedule.time(of: $0) - 1_000 }
        #expect(times == (0..<12).map { Int64($0) * 25_000_000 })
        for index in 0..<8 {
            #expect(schedule.sender(of: index) == index % 4)
            let next = schedule.time(of: index + 4) - schedule.time(of: index)
            #expect(next == 100_000_000)
        }
    }

    @Test func nothingDriftsOverALongRun() {
        let schedule = OpenLoopSchedule(start: 0, senders: 7, rate: 1000)
        #expect(schedule.time(of: 7 * 1000 * 86_400) == 86_400 * 1_000_000_000)
    }

    @Test func manySendersAtAHighRateDoNotOverflow() {
        let schedule = OpenLoopSchedule(start: .max / 4, senders: 1_000_000, rate: 0.001)
        #expect(schedule.time(of: 999_999) > .max / 4)
    }
}
