import SocketIOServer

/// What waits for one member, in the order in which it is to be sent.
///
/// Of what has a key only the latest waits, in its own place: behind everything that came before
/// it. So positions in the log that events carry rise in what is sent.
struct HeldEvents {
    enum Kind {
        /// A change of the scene: a full scene says the same.
        case edit
        /// Anything else that members are told.
        case notice
    }

    private struct Item {
        let kind: Kind
        let key: String?
        let event: PreparedEvent
    }

    /// Nil: a later one took the item's place.
    private var items: [Item?] = []
    private var indices: [String: Int] = [:]
    private(set) var edits = 0
    private(set) var notices = 0
    /// Bytes of all that waits.
    private(set) var bytes = 0

    var isEmpty: Bool { edits + notices == 0 }

    mutating func add(_ event: PreparedEvent, _ kind: Kind, key: String?) {
        if let key, let index = indices[key] { remove(at: index) }
        if let key { indices[key] = items.count }
        items.append(Item(kind: kind, key: key, event: event))
        count(kind, 1, event.byteCount)
        if items.count > 64, items.count > 2 * (edits + notices) { compact { _ in true } }
    }

    /// A full scene is sent in their place.
    mutating func dropEdits() { compact { $0.kind == .notice } }

    /// Keeps the latest notices.
    mutating func dropOldestNotices(keeping limit: Int) {
        for index in items.indices where notices > limit {
            if items[index]?.kind == .notice { remove(at: index) }
        }
    }

    /// Everything in order; nothing waits after that.
    mutating func takeAll() -> [PreparedEvent] {
        defer { self = HeldEvents() }
        return items.compactMap { $0?.event }
    }

    private mutating func remove(at index: Int) {
        guard let item = items[index] else { return }
        items[index] = nil
        if let key = item.key { indices[key] = nil }
        count(item.kind, -1, -item.event.byteCount)
    }

    private mutating func count(_ kind: Kind, _ number: Int, _ size: Int) {
        if kind == .edit { edits += number } else { notices += number }
        bytes += size
    }

    private mutating func compact(_ isKept: (Item) -> Bool) {
        let kept = items.compactMap { item in item.flatMap { isKept($0) ? $0 : nil } }
        self = HeldEvents()
        for item in kept {
            if let key = item.key { indices[key] = items.count }
            items.append(item)
            count(item.kind, 1, item.event.byteCount)
        }
    }
}
