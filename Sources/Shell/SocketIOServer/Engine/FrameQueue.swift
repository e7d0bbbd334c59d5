import NIOCore

/// Frames that one session has to send, in order, until the end of the tick.
///
/// What follows one another in a `FrameBatch` is one part here, however many frames it is. The first
/// part lies in the queue itself: a queue of one part allocates nothing.
struct FrameQueue {
    /// Bytes `start..<end` of `bytes`, or of the batch.
    private struct Part {
        let batch: FrameBatch?
        let bytes: ByteBuffer?
        let start: Int
        var end: Int

        func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
            (batch?.bytes ?? bytes)?.withUnsafeReadableBytes {
                body(UnsafeRawBufferPointer(rebasing: $0[start..<end]))
            }
        }

        /// All but its first bytes.
        func buffer(from skipped: Int) -> ByteBuffer {
            let buffer = batch?.bytes ?? bytes ?? ByteBuffer()
            let at = buffer.readerIndex + start + skipped
            return buffer.getSlice(at: at, length: end - start - skipped) ?? ByteBuffer()
        }
    }

    private var first: Part?
    private var rest: [Part] = []
    private(set) var byteCount = 0

    var isEmpty: Bool { first == nil }
    /// Whether all bytes lie in one piece.
    var isOnePart: Bool { rest.isEmpty }

    mutating func append(_ frames: ByteBuffer) {
        let end = frames.readableBytes
        byteCount += end
        append(Part(batch: nil, bytes: frames, start: 0, end: end))
    }

    /// Bytes of a batch, which may grow behind them.
    mutating func append(_ batch: FrameBatch, _ range: Range<Int>) {
        byteCount += range.count
        if rest.isEmpty {
            if let part = first, part.batch === batch, part.end == range.lowerBound {
                first?.end = range.upperBound
                return
            }
        } else {
            let last = rest.count - 1
            if rest[last].batch === batch, rest[last].end == range.lowerBound {
                rest[last].end = range.upperBound
                return
            }
        }
        append(Part(batch: batch, bytes: nil, start: range.lowerBound, end: range.upperBound))
    }

    private mutating func append(_ part: Part) {
        if first == nil { first = part } else { rest.append(part) }
    }

    mutating func removeAll() {
        first = nil
        byteCount = 0
        if !rest.isEmpty { rest.removeAll(keepingCapacity: rest.count <= 64) }
    }

    /// Calls `body` with the bytes of each part.
    func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
        first?.withBytes(body)
        for part in rest { part.withBytes(body) }
    }

    /// All but the first `skipped` bytes.
    func buffers(from skipped: Int = 0) -> [ByteBuffer] {
        var left = skipped
        var buffers: [ByteBuffer] = []
        for part in [first].compactMap({ $0 }) + rest {
            let count = part.end - part.start
            if left < count { buffers.append(part.buffer(from: left)) }
            left = max(0, left - count)
        }
        return buffers
    }
}

/// The frames of the broadcasts of one loop and tick, one behind the other. Sessions share them:
/// each sends a part.
final class FrameBatch {
    /// Longer frames are not copied here: sessions send them from where they are.
    static let longestFrames = 16 * 1024

    fileprivate(set) var bytes: ByteBuffer

    init() { bytes = ByteBuffer() }

    /// Returns where the frames lie.
    func append(_ frames: ByteBuffer) -> Range<Int> {
        let start = bytes.readableBytes
        bytes.writeImmutableBuffer(frames)
        return start..<bytes.readableBytes
    }

    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        bytes.withUnsafeReadableBytes(body)
    }

    /// Makes room for the next tick; a batch that sessions still refer to must not be used again.
    func clear() {
        if bytes.capacity > 1 << 20 { bytes = ByteBuffer() } else { bytes.clear() }
    }
}
