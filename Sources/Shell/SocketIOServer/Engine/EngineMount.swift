/// A path of a server where sessions are opened, and who gets them.
///
///     let echo = EngineMount(path: "/engine.io") { session in session.delegate = Echo() }
///
/// All mounts of a server share its listener, its options and its limits. A session belongs to
/// the mount that it was opened at: at another path its id is unknown.
public struct EngineMount: Sendable {
    /// Begins with `/`; served with and without a trailing slash. Not below another mount's.
    public let path: String
    /// Called on the session's loop with each new session, before anything arrives from it: the
    /// place to set its delegate. A session without a delegate is open and deaf.
    public let onSession: @Sendable (any EngineSession) -> Void

    /// - Parameters:
    ///   - path: as `path` says; a trailing slash is taken away.
    ///   - onSession: as `onSession` says.
    public init(path: String, onSession: @escaping @Sendable (any EngineSession) -> Void) {
        self.path = Self.key(of: path)
        self.onSession = onSession
    }

    /// The path by which a mount is found.
    static func key(of path: String) -> String {
        path.hasSuffix("/") ? String(path.dropLast()) : path
    }
}
