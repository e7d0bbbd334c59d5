/// The Redis channels of one namespace, as the official adapter names them.
///
/// Source: socketio/socket.io-redis-adapter 8, lib/index.ts.
package struct RelayChannels: Sendable, Hashable {
    /// `socket.io#/#`: broadcasts to all, or to several rooms. One room's go to `socket.io#/#room#`.
    package let broadcast: String
    /// `socket.io-request#/#`
    package let request: String
    /// `socket.io-response#/#`
    package let response: String

    package init(namespace: String, prefix: String = "socket.io") {
        broadcast = "\(prefix)#\(namespace)#"
        request = "\(prefix)-request#\(namespace)#"
        response = "\(prefix)-response#\(namespace)#"
    }

    /// The pattern of all broadcast channels; what a glob would take for special is escaped.
    package var broadcastPattern: String {
        var pattern = ""
        for character in broadcast {
            if "*?[]^-\\".contains(character) { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern + "*"
    }

    /// Where a broadcast to these rooms goes; nil rooms are everybody.
    package func broadcast(to rooms: Set<String>?) -> String {
        guard let rooms, rooms.count == 1, let room = rooms.first else { return broadcast }
        return "\(broadcast)\(room)#"
    }

    /// The room that a broadcast channel names, `""` for the channel of all; nil for a channel of
    /// another kind.
    package func room(of channel: String) -> String? {
        guard channel.utf8.starts(with: broadcast.utf8) else { return nil }
        return String(channel.dropFirst(broadcast.count).dropLast())
    }

    /// Where the answers for one server alone go.
    package func response(for uid: String) -> String { "\(response)\(uid)#" }
}
