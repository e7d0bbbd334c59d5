/// Bounds of what a peer may send on one connection.
package struct Limits: Sendable, Hashable {
    /// Bytes of one message over all its fragments. Beyond: skipped, and told as `.tooLarge`.
    package var maxMessageBytes: Int
    /// Bytes up to which a message is skipped. Beyond: `WebSocketError.messageTooBig`.
    package var maxSkippedMessageBytes: Int
    /// Bytes kept of a skipped message.
    package var skippedPrefixBytes: Int

    package init(
        maxMessageBytes: Int = 16 * 1024 * 1024 + 64 * 1024,
        maxSkippedMessageBytes: Int = 64 * 1024 * 1024,
        skippedPrefixBytes: Int = 256
    ) {
        self.maxMessageBytes = maxMessageBytes
        self.maxSkippedMessageBytes = maxSkippedMessageBytes
        self.skippedPrefixBytes = skippedPrefixBytes
    }
}
