import RoomStore
import Rooms

/// The planted bug of one instance, if it has one: what its line does wrong.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
final class Traps: @unchecked Sendable {
    let canary: Canary?
    private var commits = 0
    /// The first of two entries that are to change places.
    private var kept: VersionedEntry?

    init(_ canary: Canary?) { self.canary = canary }

    /// The answer to a commit that is not carried out.
    func answer(_ batch: CommitBatch) -> CommitOutcome? {
        guard canary == .unstored, !batch.origin.isEmpty else { return nil }
        guard batch.entries.allSatisfy(\.isEdit) else { return nil }
        commits += 1
        guard commits % 5 == 0 else { return nil }
        return .committed(
            previous: batch.expected, first: max(batch.proposed, batch.expected + 1),
            durable: true)
    }

    /// The batch as it is carried out.
    func batch(_ batch: CommitBatch) -> CommitBatch {
        var batch = batch
        switch canary {
        case .forgotten where batch.origin.isEmpty:
            if let index = batch.entries.lastIndex(where: \.isEdit) {
                batch.entries[index].change = .nothing
            }
        case .ghost:
            for (index, entry) in batch.entries.enumerated() {
                if case .left(_, .swept, _) = entry.change {
                    batch.entries[index].change = .nothing
                }
            }
        case .hostless:
            for (index, entry) in batch.entries.enumerated() {
                switch entry.change {
                case .hostHandedOver: batch.entries[index].change = .nothing
                case .joined(let member, let old, true):
                    batch.entries[index].change = .joined(
                        member, replacing: old, takesHost: false)
                default: break
                }
            }
        default: break
        }
        return batch
    }

    /// The notice as it arrives.
    func notice(_ notice: RoomNotice) -> RoomNotice {
        guard canary == .swapped, case .entries(let entries, let epoch) = notice,
            entries.count == 1, entries[0].entry.isEdit
        else { return notice }
        guard let first = kept, first.version == entries[0].previous else {
            kept = entries[0]
            return .head(entries[0].version, epoch: epoch)
        }
        kept = nil
        var pair = [first, entries[0]]
        pair[0].entry = entries[0].entry
        pair[1].entry = first.entry
        return .entries(pair, epoch: epoch)
    }

    func reply(_ reply: LeaseReply) -> LeaseReply {
        guard canary == .backwards, case .renewed(let leases) = reply else { return reply }
        return .renewed(
            leases.map { lease in
                var lease = lease
                lease.clock = 0
                return lease
            })
    }
}

extension RoomEntry {
    fileprivate var isEdit: Bool {
        if case .edited = change { true } else { false }
    }
}

extension RoomEntry.Change {
    /// An entry that changes nothing but the version.
    fileprivate static let nothing = RoomEntry.Change.renamed(memberID: "", name: "")
}
