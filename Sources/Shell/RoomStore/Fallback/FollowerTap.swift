import NIOCore
import Rooms

/// Stands between the shared store and a follower: remembers what passes, and lets nothing pass
/// while the room goes its own way.
final class FollowerTap: RoomFollower {
    let follower: any RoomFollower
    let room: String
    private let store: FallbackRoomStore

    init(_ follower: any RoomFollower, of room: String, store: FallbackRoomStore) {
        self.follower = follower
        self.room = room
        self.store = store
    }

    var eventLoop: any EventLoop { follower.eventLoop }

    func received(_ notice: RoomNotice) {
        if store.noticePasses(notice, for: self) { follower.received(notice) }
    }

    func currentCheckpoint() -> RoomCheckpoint? { follower.currentCheckpoint() }

    func currentPosition() -> RoomPosition? { follower.currentPosition() }

    /// Runs `work` on the follower's loop: at once if that is where we are.
    func onLoop<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) -> EventLoopFuture<Value> {
        guard eventLoop.inEventLoop else { return eventLoop.submit(work) }
        do { return eventLoop.makeSucceededFuture(try work()) } catch {
            return eventLoop.makeFailedFuture(error)
        }
    }
}
