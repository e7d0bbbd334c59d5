import Rooms

// What may be held while the shared store is away.
//
// Entries that only this instance has are held until the shared store has them. Entries that are
// only remembered can be forgotten: the shared store had them, and they are missed only if it comes
// back without its latest and another instance has gone on from there.
extension FallbackRooms {
    /// What the entries weigh, if there is room for them.
    mutating func admit(_ entries: [RoomEntry]) throws(RoomStoreError) -> Int {
        let bytes = entries.approximateBytes
        let isMembership = entries.allSatisfy(\.change.isMembership)
        let limit = limits.localBytes + (isMembership ? limits.localMembershipBytes : 0)
        guard counts.localBytes + bytes <= limit else {
            counts.refusedCommits += 1
            throw .refusesWrites(code: "STORAGE_UNAVAILABLE")
        }
        makeRoom(forBytes: bytes)
        return bytes
    }

    /// Forgets what is only remembered, of the rooms first that were used longest ago; more than is
    /// needed now, so that not every commit has to look for some.
    private mutating func makeRoom(forBytes bytes: Int) {
        let free = limits.localBytes - counts.localBytes - bytes
        guard tailBytes > max(0, free) else { return }
        let goal = max(0, free - limits.localBytes / 8)
        let remembered = records.filter { $0.value.tail.count > 0 }
            .sorted { $0.value.usedAt < $1.value.usedAt }
        for (room, _) in remembered {
            if tailBytes <= goal { return }
            forgetTail(of: room)
        }
    }

    private mutating func forgetTail(of room: String) {
        guard var record = takeRecord(room) else { return }
        tailBytes -= record.tail.bytes
        record.tail = RoomTail()
        counts.forgottenTails += 1
        if let local = record.local { memory.forgetLog(of: room, upTo: local.base) }
        put(record, for: room)
    }
}
