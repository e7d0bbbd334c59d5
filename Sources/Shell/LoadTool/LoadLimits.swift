/// Bounds of what the load tool keeps and waits for.
package struct LoadLimits: Sendable, Hashable {
    /// Bytes of one message of a server. Beyond: the run fails.
    package var maxMessageBytes = 64 * 1024 * 1024
    /// Bytes that one read takes at most, and of a message that is looked at where it was received.
    package var receiveBytes = 256 * 1024
    /// Seconds without any progress after which getting ready has failed.
    package var setupPatience = 30
    /// Seconds without a delivery after which what has not come is missing.
    package var drainPatience = 5
    /// Seconds until a returning client gives up an attempt to connect, as the browser's does.
    package var connectPatience = 8
    /// Connections from one source address; beyond, 127.0.0.2 and on are used.
    package var connectionsPerSource = 25_000
    /// Files of the process that are not connections.
    package var reservedFiles = 32

    package init() {}
}
