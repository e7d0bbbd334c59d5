import JSON
import NIOCore
import TestKit

@testable import SocketIO

extension FuzzTarget {
    /// Packets of four browsers to the whole room service, a line each: digit of the browser, the
    /// packet (binary if it begins with `b`). Lines that begin with `!` are what happens to
    /// connections (`EventsBench.happen`).
    static let events = FuzzTarget(name: "events", maxBytes: 32 << 10) { input in
        let hasPasswords = input.firstRange(of: "password".utf8) != nil
        var input = FuzzInput(input)
        let bench = try EventsBench(seed: input.byte(), hasPasswords: hasPasswords)
        while let line = input.line() {
            if line.first == UInt8(ascii: "!") {
                bench.happen(line.dropFirst())
            } else if let digit = line.first {
                bench.send(line.dropFirst(), from: Int(digit & 3))
            }
        }
        try bench.end()
    }
}

/// A browser: what it asked and what it was told.
struct FuzzClient {
    let session: FuzzSession
    /// Names of the events of the contract with this ack id, and how many answers came.
    private var asked: [UInt64: [String]] = [:]
    private var answered: [UInt64: Int] = [:]
    private var sent = PacketDecoder()
    private var received = PacketDecoder()
    private var isConnected = false
    /// It said DISCONNECT once: what it had asked before may stay without an answer.
    private var hasLeft = false

    init(_ session: FuzzSession) {
        self.session = session
    }

    /// Takes note of a packet that it sends. False if the text cannot come out of a WebSocket.
    mutating func sends(_ message: ArraySlice<UInt8>, isBinary: Bool) -> Bool {
        guard isBinary || String(validating: message, as: UTF8.self) != nil else { return false }
        let packet = try? isBinary ? sent.receivedBinary(message) : sent.receivedText(message)
        if packet?.type == .disconnect { hasLeft = true }
        guard let packet, let id = packet.eventID, packet.namespace == "/", isConnected,
            let event = packet.eventName, EventsBench.contract.contains(event)
        else { return true }
        asked[id, default: []].append(event)
        return true
    }

    /// Reads everything that it was sent.
    mutating func read() throws {
        for message in session.takeSent() {
            let packet =
                switch message {
                case .text(let bytes):
                    try received.receivedText(Array(bytes.readableBytesView)[...])
                case .binary(let bytes):
                    try received.receivedBinary(Array(bytes.readableBytesView)[...])
                }
            guard let packet else { continue }
            if packet.type == .connect, packet.namespace == "/" { isConnected = true }
            guard packet.type == .ack, let id = packet.id else { continue }
            answered[id, default: 0] += 1
            try require(answered[id, default: 0] <= asked[id, default: []].count, "a second answer")
            let answer = packet.payload?.elements.first
            try require(
                answer?["ok"]?.bool == true || answer?["error"]?["code"]?.string != nil,
                "an answer without code")
        }
    }

    /// Every request of a connection that is still open has exactly one answer.
    func checkAnswers() throws {
        guard session.isOpen, !hasLeft else { return }
        for (id, events) in asked {
            let count = answered[id] ?? 0
            try require(count == events.count, "\(count) answers to \(events), id \(id)")
        }
    }
}
