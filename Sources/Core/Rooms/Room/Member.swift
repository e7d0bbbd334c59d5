/// One socket in one room.
package struct Member: Sendable, Hashable {
    /// The socket id: new on each connection (R40).
    package var id: String
    package var name: String
    /// Hash of the resume token: recognises a returning person; empty where there is none.
    package var credential: String
    /// The instance incarnation that holds the socket; only it, or a survivor after its death,
    /// removes the member.
    package var holder: String
    /// Unix milliseconds.
    package var joinedAt: Int64
    /// Digest of the secret by which a client proves after a break that it is this member; empty
    /// where it has none.
    package var returnKey: String
    /// The connection broke, and the instance that held it still waits for the client.
    package var isAway: Bool

    package init(
        id: String, name: String, credential: String, holder: String, joinedAt: Int64,
        returnKey: String = "", isAway: Bool = false
    ) {
        self.id = id
        self.name = name
        self.credential = credential
        self.holder = holder
        self.joinedAt = joinedAt
        self.returnKey = returnKey
        self.isAway = isAway
    }
}

/// Why a member is no longer in the room.
package enum LeaveCause: String, Sendable, Hashable {
    /// Asked for it, or went to another room: a host hands over at once.
    case left
    /// The connection ended: a host keeps the role for the grace time.
    case disconnected
    /// The instance that held the connection died.
    case swept
}
