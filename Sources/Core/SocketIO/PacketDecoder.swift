internal import JSON

/// Turns the messages of one connection into packets.
///
///     idle ── text ──────────────────────────▶ packet
///     idle ── text announcing n attachments ─▶ awaiting n ── n binaries ──▶ packet
///     any  ── message out of turn, or no packet ─▶ error (the connection is to be closed)
///     idle ── text beyond a limit of its JSON ──▶ error (to be reported as discarded, goes on)
///
/// Invariants: at most one packet is incomplete; what is kept for it stays within
/// `PacketLimits.maxPacketBytes`; after an error nothing more is decoded.
package struct PacketDecoder: Sendable {
    private let limits: PacketLimits
    private let revision: ProtocolRevision
    private var state = State.idle

    private enum State: Sendable {
        case idle
        case awaiting(Packet, count: Int, byteCount: Int)
        /// Attachments of a packet that was given up; `count` of them are to be dropped.
        case skipping(count: Int)
        case failed(PacketError)
    }

    package init(limits: PacketLimits = PacketLimits(), revision: ProtocolRevision = .five) {
        self.limits = limits
        self.revision = revision
    }

    /// Whether a packet waits for its attachments.
    package var isAwaitingAttachments: Bool {
        switch state {
        case .awaiting, .skipping: true
        case .idle, .failed: false
        }
    }

    /// A text message, valid UTF-8. Returns the packet, or nil if attachments have to follow.
    ///
    /// After an error with `isLimit` the caller says `discardedMessage`, and the connection goes on.
    package mutating func receivedText(
        _ text: ArraySlice<UInt8>
    ) throws(PacketError) -> Packet? {
        switch state {
        case .failed(let error): throw error
        case .awaiting, .skipping: throw fail(.attachmentExpected)
        case .idle: break
        }
        do throws(PacketError) {
            return try decode(text)
        } catch {
            throw error.isLimit ? error : fail(error)
        }
    }

    /// A binary message. Returns the packet that it completes, or nil.
    package mutating func receivedBinary(
        _ bytes: ArraySlice<UInt8>
    ) throws(PacketError) -> Packet? {
        switch state {
        case .failed(let error): throw error
        case .idle: throw fail(.unexpectedAttachment)
        case .skipping(let count):
            skip(count - 1)
            return nil
        case .awaiting(var packet, let count, let byteCount):
            let (total, overflow) = byteCount.addingReportingOverflow(bytes.count)
            guard !overflow, total <= limits.maxPacketBytes else { throw fail(.tooLarge) }
            packet.attachments.append(bytes)
            guard packet.attachments.count == count else {
                state = .awaiting(packet, count: count, byteCount: total)
                return nil
            }
            state = .idle
            return packet
        }
    }

    /// A message that was too long to be taken in. The packet it belongs to is given up, and its
    /// attachments are dropped as they come.
    ///
    /// - Parameter prefix: the message's first bytes.
    /// - Returns: namespace and, as far as they can be read, name and ack id of the event.
    package mutating func discardedMessage(
        prefix: ArraySlice<UInt8>
    ) throws(PacketError) -> DiscardedPacket {
        switch state {
        case .failed(let error): throw error
        case .skipping(let count):
            skip(count - 1)
            return DiscardedPacket(namespace: nil, event: nil, id: nil)
        case .awaiting(let packet, let count, _):
            skip(count - packet.attachments.count - 1)
            return DiscardedPacket(
                namespace: packet.namespace, event: packet.eventName, id: packet.eventID)
        case .idle:
            do throws(PacketError) {
                let header = try PacketHeader(prefix, limits: limits, revision: revision)
                skip(header.attachmentCount ?? 0)
                return DiscardedPacket(header)
            } catch {
                throw fail(error)
            }
        }
    }

    private mutating func decode(_ text: ArraySlice<UInt8>) throws(PacketError) -> Packet? {
        guard text.count <= limits.maxPacketBytes else { throw .tooLarge }
        let header = try PacketHeader(text, limits: limits, revision: revision)
        let packet = Packet(
            header.type, namespace: header.namespace, id: header.id,
            payload: try payload(header))
        if packet.type == .ack, packet.id == nil { throw .ackID }
        guard let count = header.attachmentCount else { return packet }
        if let payload = packet.payload {
            _ = try Placeholder.all(in: payload, attachmentCount: count)
        }
        guard count > 0 else { return packet }
        state = .awaiting(packet, count: count, byteCount: text.count)
        return nil
    }

    private func payload(_ header: PacketHeader) throws(PacketError) -> JSONText? {
        if revision == .four, header.type == .connect { return ConnectQuery.auth(header.query) }
        var payload: JSONText?
        if !header.payload.isEmpty {
            do throws(JSONError) {
                payload = try JSONText(validating: header.payload, limits: limits.json)
            } catch {
                throw .json(error)
            }
        }
        try PayloadRules.check(payload, of: header.type, limits: limits)
        return payload
    }

    private mutating func skip(_ count: Int) {
        state = count > 0 ? .skipping(count: count) : .idle
    }

    private mutating func fail(_ error: PacketError) -> PacketError {
        state = .failed(error)
        return error
    }
}
