import CHiredis
import NIOCore

/// Bytes from Redis that are not RESP2 or pass a limit. The connection cannot go on.
package struct RESPError: Error, Hashable, Sendable {
    package let reason: String
}

/// RESP2 bytes in, values out: hiredis's reply reader behind a value builder of its own.
///
/// Bytes may be cut anywhere. Not thread safe: one decoder a connection, used on its loop.
package final class RESPDecoder {
    private let reader: UnsafeMutablePointer<redisReader>
    private let builder: RESPBuilder
    private let limits: RedisLimits
    private var failure: RESPError?
    private var pendingBytes = 0

    /// Fed at once. The reader moves what is left after each reply, so a long feed of short
    /// replies would cost its length squared.
    private static let feedBytes = 8 << 10

    /// nil only if memory has run out.
    package init?(limits: RedisLimits = .init()) {
        guard let reader = redisReaderCreateWithFunctions(RESPBuilder.functions) else { return nil }
        self.reader = reader
        self.limits = limits
        builder = RESPBuilder(limits: limits)
        reader.pointee.privdata = builder.opaque
    }

    deinit { redisReaderFree(reader) }

    /// Appends every value that `bytes` completes to `values`.
    ///
    /// What was complete before an error has been appended when it throws; afterwards every
    /// call throws the same error.
    package func decode(
        _ bytes: ByteBuffer, into values: inout [RESPValue]
    ) throws(RESPError) {
        if let failure { throw failure }
        var bytes = bytes
        while let part = bytes.readSlice(
            length: min(bytes.readableBytes, Self.feedBytes)), part.readableBytes > 0
        {
            do {
                try decode(part: part, into: &values)
            } catch {
                failure = error
                builder.reset()
                throw error
            }
        }
    }

    private func decode(part: ByteBuffer, into values: inout [RESPValue]) throws(RESPError) {
        let fed = part.withUnsafeReadableBytes { bytes in
            redisReaderFeed(
                reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        guard fed == REDIS_OK else { throw readerError }
        pendingBytes += part.readableBytes
        while true {
            var reply: UnsafeMutableRawPointer?
            guard redisReaderGetReply(reader, &reply) == REDIS_OK else { throw readerError }
            guard reply != nil else { break }
            guard let value = builder.takeReply() else {
                throw RESPError(reason: "a reply of a type that RESP2 does not have")
            }
            values.append(value)
            pendingBytes = Int(clamping: reader.pointee.len - reader.pointee.pos)
        }
        guard pendingBytes <= limits.maxReplyBytes else {
            throw RESPError(reason: "a reply of more than \(limits.maxReplyBytes) bytes")
        }
    }

    private var readerError: RESPError {
        if let violation = builder.violation { return RESPError(reason: violation) }
        let text = withUnsafeBytes(of: &reader.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return RESPError(reason: text)
    }
}

/// Puts together the value that the reader walks through, in its order: outer before inner.
///
/// The reader keeps the pointers that its callbacks return only to hand them back; all of them
/// are the builder's own, so nothing is allocated for a reply but its bytes and arrays.
private final class RESPBuilder {
    private struct OpenArray {
        var values: [RESPValue]
        var remaining: Int
    }

    private let limits: RedisLimits
    private var open: [OpenArray] = []
    private var count = 0
    private var finished: RESPValue?
    private(set) var violation: String?

    init(limits: RedisLimits) { self.limits = limits }

    /// Borrowed: the decoder owns the builder for as long as the reader lives.
    var opaque: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

    func takeReply() -> RESPValue? {
        defer { reset() }
        return finished
    }

    func reset() {
        open.removeAll(keepingCapacity: true)
        count = 0
        finished = nil
    }

    /// nil tells the reader to stop; `violation` says why.
    func beginArray(_ elements: Int) -> UnsafeMutableRawPointer? {
        guard elements <= limits.maxReplyValues - count else { return refuse(tooMany) }
        guard elements > 0 else { return add(.array([])) }
        guard open.count < limits.maxReplyDepth else {
            return refuse("a reply nested deeper than \(limits.maxReplyDepth)")
        }
        count += 1
        var values: [RESPValue] = []
        values.reserveCapacity(min(elements, 1_024))
        open.append(OpenArray(values: values, remaining: elements))
        return opaque
    }

    func add(_ value: RESPValue) -> UnsafeMutableRawPointer? {
        count += 1
        guard count <= limits.maxReplyValues else { return refuse(tooMany) }
        var value = value
        while var array = open.popLast() {
            array.values.append(value)
            array.remaining -= 1
            guard array.remaining == 0 else {
                open.append(array)
                return opaque
            }
            value = .array(array.values)
        }
        finished = value
        return opaque
    }

    private var tooMany: String { "a reply of more than \(limits.maxReplyValues) values" }

    private func refuse(_ reason: String) -> UnsafeMutableRawPointer? {
        violation = reason
        return nil
    }
}

extension RESPBuilder {
    /// Written once, before any reader exists, and never changed or freed: safe to share.
    nonisolated(unsafe) static let functions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
        let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
        functions.initialize(to: redisReplyObjectFunctions())
        functions.pointee.createString = { task, bytes, length in
            RESPBuilder.of(task)?.add(string: bytes, Int(length), type: task?.pointee.type)
        }
        functions.pointee.createArray = { task, elements in
            RESPBuilder.of(task)?.beginArray(Int(clamping: elements))
        }
        functions.pointee.createInteger = { task, value in
            RESPBuilder.of(task)?.add(.integer(value))
        }
        functions.pointee.createNil = { task in RESPBuilder.of(task)?.add(.null) }
        functions.pointee.freeObject = { _ in }
        return functions
    }()

    private static func of(_ task: UnsafePointer<redisReadTask>?) -> RESPBuilder? {
        guard let pointer = task?.pointee.privdata else { return nil }
        return Unmanaged<RESPBuilder>.fromOpaque(pointer).takeUnretainedValue()
    }

    private func add(
        string start: UnsafeMutablePointer<CChar>?, _ length: Int, type: Int32?
    ) -> UnsafeMutableRawPointer? {
        let raw = UnsafeRawBufferPointer(start: start, count: length)
        switch type {
        case REDIS_REPLY_STRING: return add(.bulkString([UInt8](raw)))
        case REDIS_REPLY_STATUS: return add(.simpleString([UInt8](raw)))
        case REDIS_REPLY_ERROR: return add(.error(String(decoding: raw, as: UTF8.self)))
        default: return refuse("a reply of a type that RESP2 does not have")
        }
    }
}
