import Testing
import WireKit

@Suite("Socket.IO protocol: message", .timeLimit(.minutes(1)))
struct SocketIOMessageTests {
    private static let placeholders =
        #"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#

    @Test("should send a plain-text packet")
    func plainText() async throws {
        try await scenario { client in
            let socket = try await client.connected()
            try await socket.exchange(
                (
                    #"42["message",1,"2",{"3":[true]}]"#,
                    #"42["message-back",1,"2",{"3":[true]}]"#
                ))
            socket.close()
        }
    }

    /// Sends a binary packet with two attachments and expects them back behind `header`.
    private func attachments(_ sent: String, _ header: String) async throws {
        try await scenario { client in
            let socket = try await client.connected()
            try await socket.send(sent)
            try await socket.send([1, 2, 3])
            try await socket.send([4, 5, 6])
            try expect(try await socket.text(), is: header)
            try expect(try await socket.message(), is: .binary([1, 2, 3]))
            try expect(try await socket.message(), is: .binary([4, 5, 6]))
            socket.close()
        }
    }

    @Test("should send a packet with binary attachments")
    func binary() async throws {
        try await attachments(
            "452-[\"message\",\(Self.placeholders)]",
            "452-[\"message-back\",\(Self.placeholders)]")
    }

    @Test("should send a plain-text packet with an ack")
    func plainTextWithAck() async throws {
        try await scenario { client in
            let socket = try await client.connected()
            try await socket.exchange(
                (
                    #"42456["message-with-ack",1,"2",{"3":[false]}]"#,
                    #"43456[1,"2",{"3":[false]}]"#
                ))
            socket.close()
        }
    }

    @Test("should send a packet with binary attachments and an ack")
    func binaryWithAck() async throws {
        try await attachments(
            "452-789[\"message-with-ack\",\(Self.placeholders)]",
            "462-789[\(Self.placeholders)]")
    }

    /// Expects the server to close at once, with the code of a malformed message.
    private func closes(upon packet: String) async throws {
        try await scenario { client in
            let socket = try await client.connected()
            try await socket.send(packet)
            try expect(try await socket.message(), is: .close(1007))
        }
    }

    @Test("should close the connection upon invalid format (unknown packet type)")
    func unknownType() async throws {
        try await closes(upon: "4abc")
    }

    @Test("should close the connection upon invalid format (invalid payload format)")
    func invalidPayload() async throws {
        try await closes(upon: "42{}")
    }

    @Test("should close the connection upon invalid format (invalid ack id)")
    func invalidAckID() async throws {
        try await closes(upon: #"42abc["message-with-ack",1,"2",{"3":[false]}]"#)
    }
}
