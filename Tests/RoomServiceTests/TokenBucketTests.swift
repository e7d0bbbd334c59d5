import Testing

@testable import RoomService

@Suite struct TokenBucketTests {
    private func taken(_ bucket: inout TokenBucket, at times: [Int64]) -> [Bool] {
        times.map { bucket.take(at: $0) }
    }

    @Test func letsABurstThroughAndThenTheAverage() {
        var bucket = TokenBucket(rate: 10, burst: 3, now: 0)
        #expect(
            taken(&bucket, at: [0, 0, 0, 0, 99, 100, 100])
                == [true, true, true, false, false, true, false])
    }

    @Test func neverHoldsMoreThanABurst() {
        var bucket = TokenBucket(rate: 1_000, burst: 2, now: 0)
        #expect(taken(&bucket, at: [.max, .max, .max]) == [true, true, false])
    }

    @Test func aClockThatGoesBackGivesNothingAndTakesNothing() {
        var bucket = TokenBucket(rate: 10, burst: 1, now: 1_000)
        #expect(taken(&bucket, at: [1_000, 0, 1_099, 1_100]) == [true, false, false, true])
    }

    @Test func alwaysLetsAtLeastOneThrough() {
        var bucket = TokenBucket(rate: 1, burst: 0, now: 0)
        #expect(taken(&bucket, at: [0, 0]) == [true, false])
    }
}
