/// What servers ask of one another; the numbers are those of the official adapter.
package enum RequestType: Int64, Sendable, Hashable, CaseIterable {
    /// Ids of the sockets in rooms; asked by adapters before version 8.
    case sockets = 0
    case allRooms = 1
    case remoteJoin = 2
    case remoteLeave = 3
    case remoteDisconnect = 4
    case remoteFetch = 5
    case serverSideEmit = 6
    /// A broadcast whose receivers answer.
    case broadcast = 7
    /// How many receivers a server has found for it.
    case broadcastClientCount = 8
    /// The answer of one of them.
    case broadcastAck = 9
}
