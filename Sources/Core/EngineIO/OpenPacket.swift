/// What the server says first: the data of the open packet.
///
///     0{"sid":"…","upgrades":["websocket"],"pingInterval":10000,"pingTimeout":5000,"maxPayload":…}
package struct OpenPacket: Sendable, Hashable {
    /// Characters that need no escape in JSON.
    package var sid: String
    package var upgrades: [TransportKind]
    package var pingIntervalMilliseconds: Int
    package var pingTimeoutMilliseconds: Int
    package var maxPayloadBytes: Int

    package init(
        sid: String, upgrades: [TransportKind], pingIntervalMilliseconds: Int,
        pingTimeoutMilliseconds: Int, maxPayloadBytes: Int
    ) {
        self.sid = sid
        self.upgrades = upgrades
        self.pingIntervalMilliseconds = pingIntervalMilliseconds
        self.pingTimeoutMilliseconds = pingTimeoutMilliseconds
        self.maxPayloadBytes = maxPayloadBytes
    }

    package var packet: Packet {
        let names = upgrades.map { "\"\($0.rawValue)\"" }.joined(separator: ",")
        let json =
            "{\"sid\":\"\(sid)\",\"upgrades\":[\(names)],"
            + "\"pingInterval\":\(pingIntervalMilliseconds),"
            + "\"pingTimeout\":\(pingTimeoutMilliseconds),\"maxPayload\":\(maxPayloadBytes)}"
        return Packet(.open, Array(json.utf8)[...])
    }
}
