/// Ids of sessions: 120 random bits from the system, as 20 characters that need no escape in a
/// URL. Knowing one is being the client, so they must not be guessed.
enum SessionID {
    /// - Parameter prefix: tells a proxy which instance has the session; see
    ///   `ServerOptions.sessionIDPrefix`.
    static func make(prefix: String) -> String {
        guard !prefix.isEmpty else { return SocketID.random() }
        // Put together in its exact size: it is kept as long as the session.
        return String(decoding: Array((prefix + SocketID.random()).utf8), as: UTF8.self)
    }
}
