import TestKit

/// A stream of choices. The same seed gives the same choices.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class Dice: @unchecked Sendable {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    func next() -> UInt64 { generator.next() }

    /// A stream of its own, so that what draws from it does not disturb the others.
    func split() -> Dice { Dice(seed: generator.next()) }

    func chance(_ percent: Int) -> Bool { Int(generator.next() % 100) < percent }

    func int(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(generator.next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    func milliseconds(_ range: ClosedRange<Int>) -> Duration {
        .microseconds(int(range.lowerBound * 1000...range.upperBound * 1000))
    }

    func pick<Element>(_ elements: [Element]) -> Element? {
        elements.isEmpty ? nil : elements[int(0...elements.count - 1)]
    }

    func token(_ length: Int) -> String {
        let digits = Array("0123456789abcdef")
        return String((0..<length).map { _ in digits[Int(generator.next() % 16)] })
    }
}
