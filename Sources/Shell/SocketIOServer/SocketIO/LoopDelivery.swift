import NIOCore

/// One broadcast on its way to the sockets of one loop: encoded once, copied once for all of them
/// into the batch of the tick.
///
/// Confined to the loop.
final class LoopDelivery {
    let event: PreparedEvent
    let isVolatile: Bool
    private let batches: TickBatches
    private var plain: Range<Int>?
    private var offset: Range<Int>?

    init(_ event: PreparedEvent, isVolatile: Bool, _ batches: TickBatches) {
        self.event = event
        self.isVolatile = isVolatile
        self.batches = batches
    }

    func message(_ withOffset: Bool) -> PreparedMessage {
        withOffset ? event.messageWithOffset : event.message
    }

    func byteCount(_ withOffset: Bool) -> Int {
        if let range = withOffset ? offset : plain { return range.count }
        return message(withOffset).byteCount
    }

    /// Adds the frames to what a session of revision 4 sends over its WebSocket.
    func append(to queue: inout FrameQueue, _ withOffset: Bool) {
        if withOffset {
            let range = offset ?? batches.withOffset.append(event.messageWithOffset.webSocketFrames)
            offset = range
            queue.append(batches.withOffset, range)
        } else {
            let range = plain ?? batches.plain.append(event.message.webSocketFrames)
            plain = range
            queue.append(batches.plain, range)
        }
    }
}

/// The batches of one tick. Events are in one with and in one without their offsets, so that what
/// one socket is sent lies in one piece.
final class TickBatches {
    private(set) var plain = FrameBatch()
    private(set) var withOffset = FrameBatch()

    /// The tick is over. A batch that nobody refers to any more is used again.
    func renew() {
        Self.renew(&plain)
        Self.renew(&withOffset)
    }

    private static func renew(_ batch: inout FrameBatch) {
        if isKnownUniquelyReferenced(&batch) { batch.clear() } else { batch = FrameBatch() }
    }
}
