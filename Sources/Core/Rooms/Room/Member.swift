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

    package init(id: String, name: String, credential: String, holder: String, joinedAt: Int64) {
        self.id = id
        self.name = name
        self.credential = credential
        self.holder = holder
        self.joinedAt = joinedAt
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
