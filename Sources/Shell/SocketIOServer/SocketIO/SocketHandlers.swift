import NIOCore

/// The functions that an application has registered with a socket.
final class SocketHandlers {
    typealias EventHandler = @Sendable (SocketEvent) -> Void

    var named: [String: [EventHandler]] = [:]
    var any: [EventHandler] = []
    var unhandled: [EventHandler] = []
    var oversized: [@Sendable (OversizedMessage) -> Void] = []
    var disconnect: [@Sendable (DisconnectReason) -> Void] = []
    var backedUp: [@Sendable () -> Void] = []
    var writable: [@Sendable () -> Void] = []
}
