import RoomService
import SocketIOServer

/// The limits of clients that an operator may want other than they are by default; docs/LIMITS.md
/// has all limits.
struct ClientLimits: Sendable, Hashable {
    var connections = ServerOptions.Limits().maxConnections
    var connectionsPerAddress = ServerOptions.Limits().maxSessionsPerAddress
    var connectsPerSecond = ServerOptions.Limits().sessionsPerSecondPerAddress
    var eventsPerSecond = ServiceLimits().eventsPerSecond
    var eventsPerSecondPerAddress = ServiceLimits().eventsPerSecondPerAddress
    var rooms = ServiceLimits().rooms
    var roomsPerMinute = ServiceLimits().roomsCreatedPerMinute
    var roomMembers = RoomServiceOptions().room.members

    init() {}

    init(_ reader: inout SettingsReader) {
        connections = reader.integer(.maxConnections, 10...1_000_000, default: connections)
        connectionsPerAddress = reader.integer(
            .maxConnectionsPerAddress, 1...1_000_000, default: connectionsPerAddress)
        connectsPerSecond = reader.integer(
            .maxConnectsPerSecond, 1...100_000, default: connectsPerSecond)
        eventsPerSecond = reader.integer(
            .maxEventsPerSecond, 1...100_000, default: eventsPerSecond)
        eventsPerSecondPerAddress = reader.integer(
            .maxEventsPerSecondPerAddress, 1...10_000_000, default: eventsPerSecondPerAddress)
        rooms = reader.integer(.maxRooms, 1...10_000_000, default: rooms)
        roomsPerMinute = reader.integer(.maxRoomsPerMinute, 1...100_000, default: roomsPerMinute)
        roomMembers = reader.integer(.maxRoomMembers, 1...100_000, default: roomMembers)
    }

    func apply(to limits: inout ServerOptions.Limits) {
        limits.maxConnections = connections
        limits.maxSessionsPerAddress = connectionsPerAddress
        // A polling client has up to two connections at once, and pages are asked for besides.
        limits.maxConnectionsPerAddress = connectionsPerAddress + connectionsPerAddress / 5 + 10
        limits.sessionsPerSecondPerAddress = connectsPerSecond
        limits.sessionBurstPerAddress = connectsPerSecond * 5
    }

    func apply(to options: inout RoomServiceOptions) {
        options.limits.eventsPerSecond = eventsPerSecond
        options.limits.eventBurst = eventsPerSecond * 4
        options.limits.eventsPerSecondPerAddress = eventsPerSecondPerAddress
        options.limits.eventBurstPerAddress = eventsPerSecondPerAddress * 2
        options.limits.rooms = rooms
        options.limits.roomsCreatedPerMinute = roomsPerMinute
        options.room.members = roomMembers
    }
}
