/// Is told all that a socket has to tell, in place of one handler for each kind of it.
///
/// A handler takes 100 to 200 bytes for as long as its socket lives, a delegate 16: a service of many
/// events is one delegate. Called on the socket's loop, where there are handlers too before them.
package protocol SocketDelegate: AnyObject, Sendable {
    /// An event, of whatever name.
    func socket(_ socket: Socket, received event: SocketEvent)
    /// A message was too long and dropped; see `Socket.onOversized`.
    func socket(_ socket: Socket, dropped message: OversizedMessage)
    /// See `Socket.onBackedUp`.
    func socketBackedUp(_ socket: Socket)
    /// See `Socket.onWritable`.
    func socketBecameWritable(_ socket: Socket)
    /// The socket has left namespace and rooms; the last call.
    func socket(_ socket: Socket, disconnected reason: DisconnectReason)
}
