/// Revisions of the Socket.IO protocol that this server speaks.
///
/// What differs in revision 4: the server opens the main namespace unasked; CONNECT has no payload
/// but may have a query after the namespace (`0/admin?token=x,`); the answer names no socket id; a
/// refusal is `4"message"`, not `4{"message":"message"}`.
package enum ProtocolRevision: Int, Sendable, Hashable, CaseIterable {
    /// Clients of Socket.IO 1 and 2, over Engine.IO 3.
    case four = 4
    /// Clients of Socket.IO 3 and later, over Engine.IO 4.
    case five = 5
}
