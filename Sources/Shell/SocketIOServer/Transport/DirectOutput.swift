import Glibc
import NIOCore

/// Writes to a connection's socket while its channel has nothing to write: a channel's own queue
/// costs as much as the system call.
///
/// Confined to the channel's loop. What the kernel does not take at once goes through the channel,
/// which then knows when the socket can take more; until it is empty again nothing passes by it.
struct DirectOutput {
    private let channel: any Channel
    private let descriptor: NIOBSDSocket.Handle
    /// Bytes may wait in the channel that go first.
    private var isChannelUsed = true

    /// Nil for a channel without a socket.
    init?(_ channel: any Channel) {
        let found = try? channel.pipeline.syncOperations
            .withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { $0 }
        guard let found else { return nil }
        self.channel = channel
        descriptor = found
    }

    /// Something is written through the channel.
    mutating func channelIsUsed() { isChannelUsed = true }

    /// How many of the bytes the kernel has taken; the rest is the channel's.
    mutating func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        freeDescriptor.map { Self.send(bytes, to: $0) } ?? 0
    }

    /// The descriptor, if nothing waits in the channel. It is the channel's: it may be another
    /// connection's as soon as that is closed.
    var freeDescriptor: NIOBSDSocket.Handle? {
        mutating get {
            guard channel.isActive else { return nil }
            if isChannelUsed {
                let option = ChannelOptions.bufferedWritableBytes
                guard (try? channel.syncOptions?.getOption(option)) == 0 else { return nil }
                isChannelUsed = false
            }
            return descriptor
        }
    }

    /// How many of the bytes the kernel has taken.
    static func send(
        _ bytes: UnsafeRawBufferPointer, to descriptor: NIOBSDSocket.Handle
    ) -> Int {
        while true {
            let count = Glibc.send(
                descriptor, bytes.baseAddress, bytes.count, flags)
            if count >= 0 { return count }
            // Any error is found again by the channel, which knows what to do about it.
            guard errno == EINTR else { return 0 }
        }
    }

    private static let flags = Int32(MSG_NOSIGNAL | MSG_DONTWAIT)
}
