/// Ids of sessions: 120 random bits from the system, as 20 characters that need no escape in a
/// URL. Knowing one is being the client, so they must not be guessed.
enum SessionID {
    /// - Parameter prefix: tells a proxy which instance has the session; see
    ///   `ServerOptions.sessionIDPrefix`.
    static func make(prefix: String) -> String {
        prefix.isEmpty ? SocketID.random() : prefix + SocketID.random()
    }
}
