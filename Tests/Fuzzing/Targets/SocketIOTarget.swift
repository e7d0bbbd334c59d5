import JSON

@testable import SocketIO

extension FuzzTarget {
    /// Messages of one connection, cut at the record separator, those that begin with `b` binary,
    /// in both revisions: packets are written so that they read the same, limits hold, and the
    /// connection has an answer to each packet.
    static let socketIO = FuzzTarget(name: "socketio", maxBytes: 16 << 10) { input in
        let messages = input.split(separator: 0x1E, omittingEmptySubsequences: false)
        for revision in [ProtocolRevision.five, .four] {
            var connection = SocketIOHarness(revision)
            for message in messages {
                guard try connection.receive(message) else { break }
            }
        }
    }
}

/// Both ends of a connection: the decoder of a server, and what it does with the packets.
private struct SocketIOHarness {
    private var limits = PacketLimits()
    private let revision: ProtocolRevision
    private var decoder: PacketDecoder
    private var connection = ConnectionStateMachine(maxNamespaces: 3)

    init(_ revision: ProtocolRevision) {
        self.revision = revision
        limits.maxAttachments = 4
        limits.maxPacketBytes = 4_096
        limits.maxConnectQueryBytes = 256
        limits.json.maxDepth = 24
        decoder = PacketDecoder(limits: limits, revision: revision)
        if case .connect = connection.opened(revision) { _ = connection.accepted("/") }
    }

    /// False when the connection would be closed.
    mutating func receive(_ message: ArraySlice<UInt8>) throws -> Bool {
        let packet: Packet?
        do throws(PacketError) {
            if message.first == UInt8(ascii: "b") {
                packet = try decoder.receivedBinary(message.dropFirst())
            } else if String(validating: message, as: UTF8.self) == nil {
                return true
            } else {
                packet = try decoder.receivedText(message)
            }
        } catch {
            guard error.isLimit else { return false }
            return (try? decoder.discardedMessage(prefix: message.prefix(256))) != nil
        }
        guard let packet else { return true }
        try check(packet)
        return try answer(packet)
    }

    private func check(_ packet: Packet) throws {
        try require(packet.attachments.count <= limits.maxAttachments, "too many attachments")
        if revision == .four, packet.type == .connect {
            // Made of the query, each byte of which takes up to seven; not written again.
            let count = packet.payload?.bytes.count ?? 0
            return try require(count <= 7 * limits.maxConnectQueryBytes + 16, "the query grew")
        }
        let size = packet.attachments.reduce(packet.payload?.bytes.count ?? 0) { $0 + $1.count }
        try require(size <= limits.maxPacketBytes, "the packet is too large")
        var reader = PacketDecoder(limits: limits, revision: revision)
        let text = PacketEncoder.encode(packet)
        var again = try reader.receivedText(text[...])
        for attachment in packet.attachments {
            try require(again == nil, "complete before its attachments")
            again = try reader.receivedBinary(attachment)
        }
        try require(again == packet, "\(packet) is read back as \(String(describing: again))")
    }

    private mutating func answer(_ packet: Packet) throws -> Bool {
        switch connection.received(packet) {
        case .connect(let namespace, _):
            // Every third is refused.
            let isRefused = namespace.utf8.count % 3 == 2
            try require(
                isRefused ? connection.refused(namespace) : connection.accepted(namespace),
                "a namespace that asks cannot be answered")
        case .event(let event):
            try require(event.eventName != nil, "an event without a name")
            if event.eventName == "kick" { _ = connection.serverDisconnected(event.namespace) }
        case .close: return false
        case .refuse, .ack, .disconnect, .cancelConnect, .ignore: break
        }
        return true
    }
}
