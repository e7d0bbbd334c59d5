import Rooms

/// What a room's channel carries: a line of text, then entries.
///
///     e <epoch> <store> <previous> <first version> <length>,<length>,…\n<entry><entry>…
///     h <epoch> <store> <head>\n
///     d <epoch> <store>\n<entry, or nothing>
///
/// `store` is the publisher: it skips its own, but for deletions.
struct RedisNotice {
    enum Kind {
        case entries(previous: Version, first: Version, lengths: [Int])
        case head(Version)
        case deleted
    }

    let epoch: Version
    let store: ArraySlice<UInt8>
    let kind: Kind
    private let body: ArraySlice<UInt8>

    /// Nil for anything else.
    init?(_ bytes: [UInt8]) {
        guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = bytes[..<end].split(separator: UInt8(ascii: " "))
        guard words.count >= 3, words[0].count == 1, let epoch = Version(digits: words[1]) else {
            return nil
        }
        self.epoch = epoch
        store = words[2]
        body = bytes[(end + 1)...]
        switch (words[0].first, words.count) {
        case (UInt8(ascii: "e"), 6):
            let lengths = words[5].split(separator: UInt8(ascii: ",")).compactMap {
                Version(digits: $0).flatMap { Int(exactly: $0) }
            }
            guard let previous = Version(digits: words[3]), let first = Version(digits: words[4]),
                lengths.reduce(0, { $0.saturatingSum($1) }) == body.count
            else { return nil }
            kind = .entries(previous: previous, first: first, lengths: lengths)
        case (UInt8(ascii: "h"), 4):
            guard let head = Version(digits: words[3]) else { return nil }
            kind = .head(head)
        case (UInt8(ascii: "d"), 3): kind = .deleted
        default: return nil
        }
    }

    var isDeletion: Bool {
        if case .deleted = kind { true } else { false }
    }

    /// An entry that cannot be read leaves the head: the log will show what is wrong.
    func roomNotice() -> RoomNotice {
        switch kind {
        case .head(let head): return .head(head, epoch: epoch)
        case .deleted: return .deleted(try? RoomEntry(encoded: body), epoch: epoch)
        case .entries(var before, let first, let lengths):
            var entries: [VersionedEntry] = []
            var start = body.startIndex
            for (index, length) in lengths.enumerated() {
                let version = first + Version(index)
                guard let entry = try? RoomEntry(encoded: body[start..<start + length]) else {
                    return .head(first + Version(lengths.count - 1), epoch: epoch)
                }
                entries.append(VersionedEntry(version: version, previous: before, entry: entry))
                before = version
                start += length
            }
            return .entries(entries, epoch: epoch)
        }
    }
}

extension Int {
    fileprivate func saturatingSum(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
