import Foundation
import Testing
import WebSocket

@testable import LoadTool

@Suite struct ClientLoopTests {
    /// Keeps what it receives.
    private final class Recorder: LoadDriver {
        var packets: [[UInt8]] = []
        let server: ServerAddress
        let wanted: Int
        var failure: LoadError?
        var isDone: Bool { packets.count >= wanted }

        init(server: ServerAddress, wanted: Int) {
            self.server = server
            self.wanted = wanted
        }

        func opened(_ connection: Connection, now: Int64) {}

        func received(_ packet: UnsafeRawBufferPointer, on connection: Connection, now: Int64) {
            packets.append(Array(packet))
        }

        func closed(_ connection: Connection, _ reason: CloseReason, now: Int64) {
            failure = Refusal.describe(reason, server: server)
        }

        func tick(now: Int64) -> Int64 { .max }
    }

    private static func message(_ number: Int, length: Int) -> [UInt8] {
        Array("42[\"m\",\"\(number)".utf8)
            + [UInt8](repeating: UInt8(ascii: "a") + UInt8(number % 26), count: length)
            + Array("\"]".utf8)
    }

    private static func frame(
        _ payload: [UInt8], _ opcode: Opcode = .text, isFinal: Bool = true
    ) -> [UInt8] {
        FrameHeader(opcode, isFinal: isFinal, payloadCount: payload.count).encoded + payload
    }

    private static func receive(_ bytes: [UInt8], wanted: Int) throws -> Recorder {
        var limits = LoadLimits()
        limits.receiveBytes = 1024
        let server = try ScriptedServer(answer: bytes)
        let address = try ServerAddress("http://127.0.0.1:\(server.port)")
        let loop = try ClientLoop(
            servers: [address], headers: [], sources: SourceAddresses(perSource: 100), seed: 1,
            limits: limits)
        let recorder = Recorder(server: address, wanted: wanted)
        _ = try loop.open(server: 0, tag: 0, group: 0, number: 0)
        let deadline = MonotonicClock.now() + 30 * MonotonicClock.second
        loop.run(recorder) { $0 > deadline }
        return recorder
    }

    /// The frames by which a server lets a client in.
    private static let greeting = frame(Array("0{}".utf8)) + frame(Array("40{\"sid\":\"x\"}".utf8))

    @Test func framesAreWholeWhereverTheReadsEnd() throws {
        var numbers = SeededNumbers(seed: 11)
        let lengths = [
            0, 1, 100, 110, 119, 400, 510, 511, 512, 513, 1000, 1023, 1024, 1025, 70_000,
        ]
        let messages = (0..<200).map { number in
            let length = lengths[Int(numbers.next() >> 33) % lengths.count]
            return Self.message(number, length: length)
        }
        let bytes = messages.flatMap { Self.frame($0) + Self.frame([1, 2], .ping) }
        let recorder = try Self.receive(Self.greeting + bytes, wanted: messages.count)
        #expect(recorder.failure == nil)
        #expect(recorder.packets == messages)
    }

    @Test func aMessageInFragmentsIsOneMessage() throws {
        let whole = Self.message(1, length: 3000)
        let bytes =
            Self.frame(Array(whole[..<10]), isFinal: false) + Self.frame([], .ping)
            + Self.frame(Array(whole[10..<2000]), .continuation, isFinal: false)
            + Self.frame(Array(whole[2000...]), .continuation)
        let recorder = try Self.receive(Self.greeting + bytes, wanted: 1)
        #expect(recorder.packets == [whole] && recorder.failure == nil)
    }

    @Test func aServerThatSendsNonsenseFailsTheRun() throws {
        let recorder = try Self.receive(Self.greeting + [0xFF, 0x00], wanted: 1)
        #expect(recorder.failure?.description.contains("reserved bit") == true)
    }
}

/// Accepts one client, answers its handshake, sends what it is told and waits for the client to go.
final class ScriptedServer: Sendable {
    let port: UInt16

    struct Failed: Error {}

    init(answer: [UInt8]) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 1) == 0
                    && getsockname(listener, $0, &size) == 0
            }
        }
        guard isBound else { throw Failed() }
        port = UInt16(bigEndian: address.sin_port)
        Thread { Self.serve(listener, answer) }.start()
    }

    private static func serve(_ listener: Int32, _ answer: [UInt8]) {
        let client = accept(listener, nil, nil)
        defer {
            close(client)
            close(listener)
        }
        var request: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while !request.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            let count = read(client, &chunk, chunk.count)
            guard count > 0 else { return }
            request += chunk[..<count]
        }
        let token = String(decoding: ServerAddress.acceptToken, as: UTF8.self)
        let head = "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: \(token)\r\n\r\n"
        let bytes = Array(head.utf8) + answer
        var position = 0
        while position < bytes.count {
            let count = bytes[position...].withUnsafeBytes {
                send(client, $0.baseAddress, min($0.count, 777), Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            position += count
        }
        while read(client, &chunk, chunk.count) > 0 {}
    }
}
