public import JSON
public import NIOCore
import SocketIO
import Synchronization

/// Answers one event of a client. May be called from any thread; the first call counts, others
/// are without effect, as is a call after the socket left.
public struct Acknowledgement: Sendable {
    private let once: Once

    private final class Once: Sendable {
        let isUsed = Atomic(false)
        let socket: Socket
        let id: UInt64

        init(_ socket: Socket, _ id: UInt64) {
            self.socket = socket
            self.id = id
        }
    }

    init(socket: Socket, id: UInt64) {
        once = Once(socket, id)
    }

    /// Answers with `arguments`.
    public func callAsFunction(_ arguments: JSONValue...) {
        send(arguments)
    }

    /// Answers with `arguments`; inside them `JSONValue.attachment(n)` stands for `attachments[n]`.
    public func send(_ arguments: [JSONValue], attachments: [ByteBuffer] = []) {
        guard !once.isUsed.exchange(true, ordering: .relaxed) else { return }
        let text = PacketEncoder.ack(
            once.id, arguments, namespace: once.socket.namespace.name,
            attachmentCount: attachments.count)
        once.socket.transmit(text, attachments)
    }
}
