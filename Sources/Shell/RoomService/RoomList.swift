import RoomStore
import Rooms

/// All rooms as the store lists them, looked through once for all who ask.
struct RoomList: Sendable {
    /// Roughly what it costs to look through one: as many bytes of a scene.
    static let bytesPerRoom = 100

    /// The last active first.
    let rooms: [RoomSummary]
    private let places: [String: Int]
    private let placesByHolder: [String: [Int]]
    /// Those without members, the one that has been so for the longest first.
    private let empty: [Int]

    init(_ summaries: [RoomSummary]) {
        let rooms = summaries.sorted { ($0.version, $0.id) > ($1.version, $1.id) }
        var places = [String: Int](minimumCapacity: rooms.count)
        var byHolder: [String: [Int]] = [:]
        for (place, room) in rooms.enumerated() {
            places[room.id] = places[room.id] ?? place
            for holder in room.holders.keys { byHolder[holder, default: []].append(place) }
        }
        self.rooms = rooms
        self.places = places
        placesByHolder = byHolder
        empty = rooms.indices
            .filter { rooms[$0].userCount == 0 && rooms[$0].emptySince > 0 }
            .sorted { (rooms[$0].emptySince, $0) < (rooms[$1].emptySince, $1) }
    }

    subscript(id: String) -> RoomSummary? { places[id].map { rooms[$0] } }

    /// Incarnations that hold members.
    var holders: Set<String> { Set(placesByHolder.keys) }

    /// Rooms in which the incarnation holds members, the last active first.
    func rooms(with holder: String) -> [RoomSummary] {
        placesByHolder[holder, default: []].map { rooms[$0] }
    }

    /// Rooms that have been empty since this moment or longer, the longest first.
    func empty(since milliseconds: Int64) -> some Sequence<RoomSummary> {
        empty.lazy.map { rooms[$0] }.prefix { $0.emptySince <= milliseconds }
    }
}
