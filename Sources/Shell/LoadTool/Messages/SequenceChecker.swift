/// Whether each receiver gets each message of each sender once and in order.
///
/// A stream is one sender at one receiver. Numbers rise by one from 0. What is regular costs an
/// addition; only what is not is remembered.
struct SequenceChecker {
    enum Verdict: Equatable {
        case inOrder
        /// This many before it have not come.
        case gap(Int)
        /// One that a gap had left out.
        case late
        case duplicate
    }

    private var expected: [UInt32]
    private var gaps: [Int: Set<UInt32>] = [:]
    private(set) var duplicates = 0
    /// Messages that came after one that was sent later.
    private(set) var outOfOrder = 0

    init(streams: Int) {
        expected = Array(repeating: 0, count: streams)
    }

    @inline(__always)
    mutating func received(_ sequence: UInt32, stream: Int) -> Verdict {
        let next = expected[stream]
        guard sequence == next else { return irregular(sequence, stream, next) }
        expected[stream] = next &+ 1
        return .inOrder
    }

    private mutating func irregular(
        _ sequence: UInt32, _ stream: Int, _ next: UInt32
    ) -> Verdict {
        if sequence > next {
            gaps[stream, default: []].formUnion(next..<sequence)
            expected[stream] = sequence &+ 1
            return .gap(Int(sequence - next))
        }
        guard gaps[stream]?.remove(sequence) != nil else {
            duplicates += 1
            return .duplicate
        }
        outOfOrder += 1
        return .late
    }

    /// The number that comes next in the stream.
    func next(of stream: Int) -> UInt32 { expected[stream] }

    /// The stream's receiver knows all up to here in another way.
    mutating func covered(through sequence: UInt32, stream: Int) {
        expected[stream] = max(expected[stream], sequence &+ 1)
        guard let open = gaps[stream] else { return }
        gaps[stream] = open.filter { $0 > sequence }
    }

    /// Numbers below `sent` that have not come.
    func missing(of stream: Int, sent: UInt32) -> Int {
        let atTheEnd = sent > expected[stream] ? Int(sent - expected[stream]) : 0
        return (gaps[stream]?.count ?? 0) + atTheEnd
    }

    /// Numbers for which `matters` that have not come.
    func missing(of stream: Int, sent: UInt32, where matters: (UInt32) -> Bool) -> Int {
        let open = gaps[stream]?.count { matters($0) } ?? 0
        guard sent > expected[stream] else { return open }
        return open + (expected[stream]..<sent).count { matters($0) }
    }
}
