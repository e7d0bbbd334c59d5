import Rooms

extension RoomEntry {
    /// Bytes that the entry takes in memory and in the log, roughly.
    var approximateBytes: Int {
        let payload =
            switch change {
            case .created(_, _, let editor): editor?.editorData.bytes.count ?? 0
            case .uploaded(let upload, _): upload.editorData.bytes.count
            case .edited(let edit, _): edit.byteCount
            case .joined, .left, .away, .moved, .renamed, .hostHandedOver, .deleted: 0
            }
        return payload + 256
    }
}

extension Collection<RoomEntry> {
    var approximateBytes: Int { reduce(0) { $0 + $1.approximateBytes } }
}

extension Collection<VersionedEntry> {
    var approximateBytes: Int { reduce(0) { $0 + $1.entry.approximateBytes } }
}
