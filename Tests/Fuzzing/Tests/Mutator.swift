import TestKit

/// Changes inputs at random, the same way for the same seed.
struct Mutator {
    private var random: SeededGenerator
    private let inputs: [[UInt8]]

    init(seed: UInt64, inputs: [[UInt8]]) {
        random = SeededGenerator(seed: seed)
        self.inputs = inputs
    }

    /// One of the inputs with one to four changes.
    mutating func next() -> [UInt8] {
        var input = pick()
        for _ in 0...below(4) { change(&input) }
        return input
    }

    mutating func next(avoiding prefix: String) -> [UInt8] {
        while true {
            let input = next()
            if !input.starts(with: prefix.utf8) { return input }
        }
    }

    private mutating func below(_ limit: Int) -> Int {
        Int(random.next() % UInt64(max(limit, 1)))
    }

    private mutating func pick() -> [UInt8] { inputs[below(inputs.count)] }

    private mutating func change(_ input: inout [UInt8]) {
        let place = below(input.count + 1)
        let end = min(input.count, place + 1 + below(8))
        switch below(7) {
        case 0: input.removeSubrange(place..<end)
        case 1: input.insert(UInt8(truncatingIfNeeded: random.next()), at: place)
        case 2 where place < input.count: input[place] ^= 1 << UInt8(below(8))
        case 3 where place < input.count: input[place] = UInt8(truncatingIfNeeded: random.next())
        case 4: input.insert(contentsOf: input[place..<end], at: place)
        case 5: input.removeSubrange(place...)
        default:
            let other = pick()
            let start = below(other.count + 1)
            input.replaceSubrange(place..<end, with: other[start...].prefix(below(64)))
        }
    }
}
