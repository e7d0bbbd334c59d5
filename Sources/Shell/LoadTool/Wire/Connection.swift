/// One client's connection: the socket, and what is half received or not yet sent.
///
///     connecting ─▶ upgrading ─▶ greeting ─▶ joining ─▶ open ─▶ closing ─▶ closed
///       TCP          101          Engine.IO    CONNECT           our close frame is out
///
/// Confined to the thread of its `ClientLoop`.
final class Connection {
    enum Phase { case connecting, upgrading, greeting, joining, open, closing, closed }

    /// Place among the loop's connections.
    let index: Int
    /// Tells this use of the place from earlier ones.
    let generation: UInt32
    /// Of the server, among those of the run.
    let server: Int
    /// Who it is to the driver.
    let tag: Int
    /// The driver's group of `tag`, at hand for every delivery.
    let group: Int
    let descriptor: Int32
    let startedAt: Int64

    var phase = Phase.connecting
    /// The request that opens the WebSocket; taken away once it is sent.
    var request: [UInt8]
    /// The start of a frame whose end has not come.
    var stash: [UInt8] = []
    /// How many bytes the frame in `stash` takes.
    var needed = 0
    /// Payload of the fragments of a message so far.
    var fragments: [UInt8]?
    var unsent: [UInt8] = []
    var isWaitingToWrite = false
    /// `name=value` of the cookie that the server set.
    var cookie: String?

    init(
        index: Int, generation: UInt32, server: Int, tag: Int, group: Int, descriptor: Int32,
        startedAt: Int64, request: [UInt8]
    ) {
        self.index = index
        self.generation = generation
        self.server = server
        self.tag = tag
        self.group = group
        self.descriptor = descriptor
        self.startedAt = startedAt
        self.request = request
    }

    var token: UInt64 { UInt64(generation) << 32 | UInt64(index) }
    var isClosed: Bool { phase == .closed }
}

/// Why a connection ended.
enum CloseReason: Sendable {
    /// By our own close frame.
    case asked
    /// No connection came about, or it broke.
    case system(Int32)
    /// The server answered the handshake with this instead of 101.
    case status(Int, body: String)
    /// The server refused the namespace.
    case connectError(String)
    /// The server ended it; its code, if it said one.
    case server(code: Int?)
    case protocolError(String)
}
