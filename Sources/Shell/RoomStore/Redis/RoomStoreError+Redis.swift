import Redis

extension RoomStoreError {
    /// Codes with which Redis refuses writes, or everything for the moment.
    private static let refusals: Set<String> = [
        "OOM", "READONLY", "MISCONF", "LOADING", "NOREPLICAS", "MASTERDOWN",
    ]

    init(_ error: any Error) {
        switch error {
        case let error as RoomStoreError: self = error
        case RedisError.overloaded: self = .overloaded
        case RedisError.server(let code, let message):
            if let refusal = Self.refusal(code, message) {
                self = .refusesWrites(code: refusal)
            } else {
                self = .unavailable("\(code) \(message)")
            }
        default: self = .unavailable("\(error)")
        }
    }

    /// Before Redis 7 an error inside a script is wrapped: `ERR Error running script … -OOM …`.
    private static func refusal(_ code: String, _ message: String) -> String? {
        if refusals.contains(code) { return code }
        guard code == "ERR" else { return nil }
        let words = message.split { " :-".contains($0) }
        return words.first { refusals.contains(String($0)) }.map(String.init)
    }
}
