import JSON
import NIOConcurrencyHelpers
import NIOCore

@testable import SocketIOServer

/// What one instance has told servers of other kinds.
final class MirrorRecord: Sendable {
    struct Entry: Sendable {
        let name: String
        let payload: JSONText
        let target: BroadcastTarget
    }

    private let entries = NIOLockedValueBox<[Entry]>([])

    func add(_ event: PreparedEvent, _ target: BroadcastTarget) {
        // The packet is `2["name",{…}]`.
        let text = Array(event.message.text.readableBytesView.dropFirst())
        let payload = JSONText(unchecked: text[...]).elements.last ?? .null
        let entry = Entry(name: event.event, payload: payload, target: target)
        entries.withLockedValue { $0.append(entry) }
    }

    /// Everything since the last call.
    func take() -> [Entry] {
        entries.withLockedValue { entries in
            defer { entries = [] }
            return entries
        }
    }
}
