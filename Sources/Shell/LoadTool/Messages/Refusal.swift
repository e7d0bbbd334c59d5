/// A refusal in words, with what to change.
enum Refusal {
    static func describe(_ reason: CloseReason, server: ServerAddress) -> LoadError {
        let who = server.authority
        switch reason {
        case .asked: return .failed("\(who) closed a connection")
        case .system(let number): return .failed("\(who): \(LoadError.text(of: number))")
        case .status(let status, let body):
            let hint = hint(status: status, body: body)
            return .failed("\(who) refused a connection with \(status): \(body)\(hint)")
        case .connectError(let text):
            return .failed("\(who) refused the namespace: \(text)")
        case .server(let code):
            let said = code.map { " with code \($0)" } ?? ""
            return .failed("\(who) closed a connection\(said)")
        case .protocolError(let text): return .failed("\(who) sent \(text)")
        }
    }

    /// - Parameter event: `"name",{…}` as the server sent it.
    static func describe(event: String) -> String {
        "the server refused: \(event)\(hint(event: event))"
    }

    /// Which variable of Tandem's environment sets the limit that a status speaks of.
    static func hint(status: Int, body: String) -> String {
        switch status {
        case 429 where body.contains("new connections"): raise("MAX_CONNECTS_PER_SECOND")
        case 429: raise("MAX_CONNECTIONS_PER_ADDRESS")
        case 503 where body.isEmpty: raise("MAX_CONNECTIONS")
        default: ""
        }
    }

    static func hint(event: String) -> String {
        if event.contains("ROOM_FULL") { return raise("MAX_ROOM_MEMBERS") }
        if event.contains("CREATION_ERROR") { return raise("MAX_ROOMS") }
        guard event.contains("RATE_LIMITED") else { return "" }
        return event.contains("room-creation-failed")
            ? raise("MAX_ROOMS_PER_MINUTE")
            : raise("MAX_EVENTS_PER_SECOND (of one client) or MAX_EVENTS_PER_SECOND_PER_ADDRESS")
    }

    private static func raise(_ variables: String) -> String {
        "\n  a limit of the server; Tandem's is raised by \(variables) in its environment"
    }
}
