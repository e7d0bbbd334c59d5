import NIOCore
import Rooms

/// Hears of each change of a live room's copy, with the copy after it. On the room's loop.
///
/// For simulations, whose checkers compare what all instances fold.
package typealias RoomWitness = @Sendable (RoomChange, RoomState) -> Void

package enum RoomChange: Sendable {
    case opened
    case folded(VersionedEntry)
    /// The stored room has taken the place of the copy.
    case replaced
}

/// A live room as it is at the moment, for those who check invariants.
package struct RoomInspection: Sendable {
    package var state: RoomState
    /// Members whose connections are held here.
    package var connected: Set<String>
    package var isSettled: Bool
    package var queuedOperations: Int
    package var queuedBytes: Int
    /// Of the member for whom most edits are held back.
    package var heldEdits: Int
}

extension RoomService {
    /// The rooms served on an event loop. On that loop.
    package func inspectRooms(on eventLoop: any EventLoop) -> [RoomInspection] {
        registry.shards.filter { $0.eventLoop === eventLoop }.flatMap(\.liveRooms).map { room in
            RoomInspection(
                state: room.state, connected: Set(room.links.keys), isSettled: room.isSettled,
                queuedOperations: room.queue.count, queuedBytes: room.queue.byteCount,
                heldEdits: room.links.values.map(\.heldEdits).max() ?? 0)
        }
    }
}
