import NIOCore

/// How servers of a cluster find one another, and within which bounds.
package struct RelayOptions: Sendable {
    /// Begins every channel; the `key` of the official adapter and emitter.
    package var channelPrefix = "socket.io"
    /// Whether every broadcast of this process goes to the other servers. Off: others are heard,
    /// and only what is given to `mirror` is told.
    package var publishes = false
    /// Answers go to the asking server's channel alone (`publishOnSpecificResponseChannel` of the
    /// official adapter); every server of version 8 hears both.
    package var respondsDirectly = false
    package var limits = RelayLimits()

    package init() {}
}

/// Every bound of the relay, with what happens beyond it.
package struct RelayLimits: Sendable {
    /// Of what others send: bytes, depth and values of one message. Beyond: the message is dropped
    /// and counted as malformed.
    package var message = MessagePackLimits()
    /// Bytes of one message to others. Default 16 MiB: Redis drops a subscriber that is 32 MiB
    /// behind. Beyond: nothing is published, and it is counted as unpublished.
    package var maxPublishedBytes = 16 << 20
    /// Time in which servers answer. Beyond: what has come is the answer, said to be incomplete.
    package var requestTimeout: TimeAmount = .seconds(5)
    /// Longest time that another server may have our clients acknowledge within. Beyond: this.
    package var maxAcknowledgementTimeout: TimeAmount = .seconds(60)
    /// Requests that wait for answers, in one namespace. Beyond: answered by this process alone,
    /// said to be incomplete.
    package var maxPendingRequests = 1_000

    /// Messages of others that wait, in one namespace, while a change of rooms before them is made
    /// on the loops of the sockets. Beyond: a message is delivered before that change.
    package var maxWaitingMessages = 10_000

    package init() {}
}
