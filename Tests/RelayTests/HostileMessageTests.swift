import JSON
import NIOCore
import SocketIOServer
import TestKit
import Testing

@testable import Relay

@Suite struct HostileMessageTests {
    @Test("changed bytes of any message end in a message or an error, and what is read is valid")
    func mutations() throws {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SeededGenerator(seed: seed)
        for original in try Self.messages() {
            for _ in 0..<1_500 {
                var bytes = original
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    let index = Int.random(in: bytes.indices, using: &generator)
                    bytes[index] = .random(in: 0...255, using: &generator)
                }
                if Bool.random(using: &generator) {
                    bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
                }
                try Self.read(bytes, "seed \(seed)")
            }
        }
    }

    private static func messages() throws -> [[UInt8]] {
        let attachment = ByteBuffer(bytes: [1, 2, 3])
        let event = PreparedEvent(
            "e", [.attachment(0), ["a": [1, 2.5, nil, "ü"]]], attachments: [attachment])
        let target = BroadcastTarget(rooms: ["r", "s"], except: ["x"], isVolatile: true)
        let asked = BroadcastToAcknowledge(
            namespace: "/", event: "q", arguments: [1], target: target, timeoutMilliseconds: 5)
        var answer = RelayResponse(id: "q")
        answer.type = .broadcastAck
        answer.acknowledgement = EventArguments([try JSONText(text: #"{"a":[1]}"#)])
        let messages = [
            BroadcastMessage.encode(event, to: target, uid: "u"),
            RelayRequest(uid: "u", id: "q", body: .broadcast(asked)).encoded,
            RelayRequest(uid: "u", id: "q", body: .fetch(target)).encoded,
            answer.encoded,
        ]
        return try messages.map { try #require($0) }
    }

    private static func read(_ bytes: [UInt8], _ comment: Comment) throws {
        let broadcast = try? BroadcastMessage.decode(
            bytes[...], namespace: "/", ignoring: { _ in false })
        if let payload = broadcast?.event.payload {
            #expect(throws: Never.self, comment) { try JSONText(validating: payload.bytes) }
        }
        if let request = try? RelayRequest(decoding: bytes[...]) {
            #expect(request.encoded != nil, comment)
        }
        if let response = try? RelayResponse(decoding: bytes[...]) {
            #expect(!response.encoded.isEmpty, comment)
        }
    }
}
