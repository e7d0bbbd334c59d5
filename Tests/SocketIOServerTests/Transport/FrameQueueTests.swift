import NIOCore
import Testing

@testable import SocketIOServer

@Suite struct FrameQueueTests {
    private func text(_ queue: FrameQueue) -> [String] {
        var parts: [String] = []
        queue.forEach { parts.append(String(decoding: $0, as: UTF8.self)) }
        return parts
    }

    private func joined(_ buffers: [ByteBuffer]) -> String {
        buffers.map { String(buffer: $0) }.joined()
    }

    @Test func whatFollowsOneAnotherInABatchIsOnePart() {
        let batch = FrameBatch()
        var all = FrameQueue()
        var author = FrameQueue()
        for (index, frame) in ["one", "two", "three"].enumerated() {
            let range = batch.append(ByteBuffer(string: frame))
            all.append(batch, range)
            if index != 1 { author.append(batch, range) }
        }
        #expect(text(all) == ["onetwothree"] && all.isOnePart && all.byteCount == 11)
        #expect(text(author) == ["one", "three"] && !author.isOnePart && author.byteCount == 8)
    }

    @Test func ownFramesKeepTheirPlaceAmongShared() {
        let batch = FrameBatch()
        var queue = FrameQueue()
        queue.append(batch, batch.append(ByteBuffer(string: "a")))
        queue.append(ByteBuffer(string: "-own-"))
        queue.append(batch, batch.append(ByteBuffer(string: "b")))
        queue.append(batch, batch.append(ByteBuffer(string: "c")))
        #expect(text(queue) == ["a", "-own-", "bc"])
        queue.removeAll()
        #expect(queue.isEmpty && queue.byteCount == 0 && text(queue) == [])
        queue.append(ByteBuffer(string: "again"))
        #expect(text(queue) == ["again"] && queue.isOnePart)
    }

    @Test(arguments: 0...9) func whatTheKernelDidNotTakeIsTheRest(taken: Int) {
        let batch = FrameBatch()
        var queue = FrameQueue()
        _ = batch.append(ByteBuffer(string: "other"))
        queue.append(batch, batch.append(ByteBuffer(string: "123")))
        var own = ByteBuffer(string: "xx456")
        own.moveReaderIndex(forwardBy: 2)
        queue.append(own)
        queue.append(batch, batch.append(ByteBuffer(string: "789")))
        #expect(joined(queue.buffers(from: taken)) == String("123456789".dropFirst(taken)))
    }

    @Test func aBatchInUseIsNotUsedAgain() {
        let batches = TickBatches()
        var queue: FrameQueue? = FrameQueue()
        queue?.append(batches.plain, batches.plain.append(ByteBuffer(string: "waits")))
        let used = ObjectIdentifier(batches.plain)
        batches.renew()
        #expect(ObjectIdentifier(batches.plain) != used)
        #expect(queue.map(text) == ["waits"])
        queue = nil
        let unused = ObjectIdentifier(batches.plain)
        _ = batches.plain.append(ByteBuffer(string: "gone"))
        batches.renew()
        #expect(ObjectIdentifier(batches.plain) == unused)
        #expect(batches.plain.append(ByteBuffer(string: "new")) == 0..<3)
    }
}
