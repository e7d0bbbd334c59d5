import Foundation
import NIOCore
import NIOPosix

/// A TCP connection that reads HTTP answers and WebSocket frames byte for byte, and knows no
/// more of either than the tests need.
final class RawClient {
    struct Answer: Equatable {
        var status: Int
        var headers: [String: String]
        var bytes: [UInt8]
        var body: String { String(decoding: bytes, as: UTF8.self) }
    }

    struct Frame: Equatable {
        var opcode: UInt8
        var payload: [UInt8]
        var text: String { String(decoding: payload, as: UTF8.self) }
        /// Status code of a close frame.
        var code: Int { payload.count < 2 ? 0 : Int(payload[0]) << 8 | Int(payload[1]) }
    }

    enum Failure: Error { case ended }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    let channel: any Channel
    private var iterator: AsyncStream<ByteBuffer>.AsyncIterator
    private var buffer = ByteBuffer()

    /// - Parameter receiveBuffer: bytes that the kernel takes for us before we read.
    init(port: Int, receiveBuffer: Int? = nil) async throws {
        let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
        var bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(
                .socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        channel =
            try await bootstrap
            .channelInitializer { $0.pipeline.addHandler(Collector(continuation)) }
            .connect(host: "127.0.0.1", port: port).get()
        iterator = stream.makeAsyncIterator()
    }

    func close() {
        channel.close(promise: nil)
    }

    /// From now on nothing is read from the socket.
    func stopReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    func resumeReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
    }

    /// Reads a little at a time, by the clock of the loop: a test may be kept from running for long.
    func readSlowly(for time: TimeAmount) async throws {
        try await stopReading()
        let reading = channel.eventLoop.scheduleRepeatedTask(
            initialDelay: .zero, delay: .milliseconds(20)
        ) { [channel] _ in channel.read() }
        try await channel.eventLoop.scheduleTask(in: time) {}.futureResult.get()
        reading.cancel()
        try await resumeReading()
    }

    func send(_ bytes: some Sequence<UInt8>) {
        channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func send(_ text: String) {
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
    }

    private func more() async throws {
        guard var next = await iterator.next() else { throw Failure.ended }
        buffer.discardReadBytes()
        buffer.writeBuffer(&next)
    }

    /// Returns once the server has closed the connection, dropping what it still says.
    func readEnd() async {
        while await iterator.next() != nil {}
    }

    // MARK: HTTP

    func request(
        _ method: String = "GET", _ target: String, headers: [String: String] = [:],
        body: String = ""
    ) {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if method == "POST" { text += "Content-Length: \(body.utf8.count)\r\n" }
        send(text + "\r\n" + body)
    }

    func readAnswer(toHead: Bool = false) async throws -> Answer {
        var head = ""
        while true {
            let text = buffer.getString(at: buffer.readerIndex, length: buffer.readableBytes) ?? ""
            if let end = text.range(of: "\r\n\r\n")?.lowerBound {
                head = String(text[..<end])
                break
            }
            try await more()
        }
        buffer.moveReaderIndex(forwardBy: head.utf8.count + 4)
        var lines = head.components(separatedBy: "\r\n")
        let status = Int(lines.removeFirst().split(separator: " ")[1]) ?? 0
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        let length = toHead ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        while buffer.readableBytes < length { try await more() }
        return Answer(
            status: status, headers: headers, bytes: buffer.readBytes(length: length) ?? [])
    }

    func post(_ target: String, bytes: [UInt8]) async throws -> Answer {
        let head =
            "POST \(target) HTTP/1.1\r\nHost: localhost\r\n"
            + "Content-Type: application/octet-stream\r\nContent-Length: \(bytes.count)\r\n\r\n"
        send(Array(head.utf8) + bytes)
        return try await readAnswer()
    }

    func exchange(
        _ method: String = "GET", _ target: String, headers: [String: String] = [:],
        body: String = ""
    ) async throws -> Answer {
        request(method, target, headers: headers, body: body)
        return try await readAnswer(toHead: method == "HEAD")
    }

    // MARK: WebSocket

    /// Asks for a WebSocket; `early` is sent in the same segment.
    func upgrade(
        _ target: String, headers: [String: String] = [:], early: [UInt8] = []
    ) {
        var all = [
            "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        ]
        all.merge(headers) { $1 }
        var text = "GET \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for (name, value) in all { text += "\(name): \(value)\r\n" }
        send(Array((text + "\r\n").utf8) + early)
    }

    static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        let key: [UInt8] = [1, 2, 3, 4]
        var frame: [UInt8] = [opcode | (isFinal ? 0x80 : 0)]
        switch payload.count {
        case ..<126: frame.append(0x80 | UInt8(payload.count))
        case ...0xFFFF:
            frame += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            frame.append(0x80 | 127)
            for shift in stride(from: 56, through: 0, by: -8) {
                frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
            }
        }
        if payload.count > 0xFFFF { return frame + [0, 0, 0, 0] + payload }
        return frame + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    func sendText(_ text: String) {
        send(Self.frame(1, Array(text.utf8)))
    }

    func readFrame() async throws -> Frame {
        while true {
            if let frame = nextFrame() { return frame }
            try await more()
        }
    }

    private func nextFrame() -> Frame? {
        let start = buffer.readerIndex
        guard let first = buffer.getInteger(at: start, as: UInt8.self),
            let second = buffer.getInteger(at: start + 1, as: UInt8.self)
        else { return nil }
        precondition(second & 0x80 == 0, "a server must not mask")
        var header = 2
        var length = Int(second)
        if second == 126 {
            guard let long = buffer.getInteger(at: start + 2, as: UInt16.self) else { return nil }
            (header, length) = (4, Int(long))
        } else if second == 127 {
            guard let long = buffer.getInteger(at: start + 2, as: UInt64.self) else { return nil }
            (header, length) = (10, Int(long))
        }
        guard buffer.readableBytes >= header + length else { return nil }
        buffer.moveReaderIndex(forwardBy: header)
        return Frame(opcode: first & 0x0F, payload: buffer.readBytes(length: length) ?? [])
    }
}
