/// Takes decisions and pieces from an input, from its beginning; zeros where there is no more.
struct FuzzInput {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func below(_ limit: Int) -> Int { Int(byte()) % limit }

    /// Everything up to the next line end, which is taken too; nil at the end.
    mutating func line() -> ArraySlice<UInt8>? {
        guard !rest.isEmpty else { return nil }
        let line = rest.prefix { $0 != UInt8(ascii: "\n") }
        rest = rest.dropFirst(line.count + 1)
        return line
    }
}

/// Cuts bytes as a network may: where, a seed decides.
struct RandomSplit: Sequence, IteratorProtocol {
    private var rest: ArraySlice<UInt8>
    private var state: UInt64
    private let isOneByOne: Bool

    /// Seed 0 gives every byte alone.
    init(_ bytes: ArraySlice<UInt8>, seed: UInt8) {
        rest = bytes
        state = UInt64(seed)
        isOneByOne = seed == 0
    }

    mutating func next() -> ArraySlice<UInt8>? {
        guard !rest.isEmpty else { return nil }
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Most pieces short, some long.
        let bits = isOneByOne ? 0 : (state >> 60) % 12
        let count = isOneByOne ? 1 : 1 + Int((state >> 33) & (1 << bits - 1))
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}
