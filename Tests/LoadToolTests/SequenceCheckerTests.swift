import Testing

@testable import LoadTool

@Suite struct SequenceCheckerTests {
    private func checked(_ numbers: [UInt32]) -> SequenceChecker {
        var checker = SequenceChecker(streams: 2)
        for number in numbers { _ = checker.received(number, stream: 1) }
        return checker
    }

    @Test func whatComesInOrderIsClean() {
        let checker = checked([0, 1, 2, 3])
        #expect(checker.missing(of: 1, sent: 4) == 0)
        #expect(checker.duplicates == 0 && checker.outOfOrder == 0)
    }

    @Test func aGapIsMissing() {
        var checker = checked([0, 1])
        #expect(checker.received(4, stream: 1) == .gap(2))
        #expect(checker.missing(of: 1, sent: 5) == 2)
        #expect(checker.missing(of: 0, sent: 5) == 5, "the other stream had nothing")
    }

    @Test func whatDoesNotComeAtTheEndIsMissing() {
        #expect(checked([0, 1]).missing(of: 1, sent: 4) == 2)
    }

    @Test func aRepetitionIsADuplicate() {
        var checker = checked([0, 1, 2])
        #expect(checker.received(1, stream: 1) == .duplicate)
        #expect(checker.received(2, stream: 1) == .duplicate)
        #expect(checker.duplicates == 2 && checker.missing(of: 1, sent: 3) == 0)
    }

    @Test func aSwapIsOutOfOrderAndNotMissing() {
        var checker = checked([0, 2])
        #expect(checker.received(1, stream: 1) == .late)
        #expect(checker.outOfOrder == 1 && checker.duplicates == 0)
        #expect(checker.missing(of: 1, sent: 3) == 0)
        #expect(checker.received(1, stream: 1) == .duplicate)
    }

    @Test func aSceneCoversWhatWasSentBeforeIt() {
        var checker = checked([0, 3])
        checker.covered(through: 5, stream: 1)
        #expect(checker.missing(of: 1, sent: 6) == 0)
        #expect(checker.received(6, stream: 1) == .inOrder)
        checker.covered(through: 2, stream: 1)
        #expect(checker.next(of: 1) == 7, "an older scene takes nothing back")
    }

    @Test func onlyWhatMattersIsMissing() {
        let checker = checked([0, 4])
        #expect(checker.missing(of: 1, sent: 8) { $0 % 2 == 1 } == 4)
    }
}
