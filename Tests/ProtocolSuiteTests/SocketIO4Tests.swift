import Testing
import WireKit

@Suite("Socket.IO protocol 4, over Engine.IO 3", .timeLimit(.minutes(1)))
struct SocketIO4Tests {
    private static let placeholders =
        #"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#

    /// Runs a scenario with a client that is in the main namespace, as it is without asking.
    private func connected(_ run: (WireSocket) async throws -> Void) async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(.socketIO3)
            try expect(try await socket.text(), is: "40")
            try expect(try await socket.text(), is: #"42["auth",{}]"#)
            try await run(socket)
            socket.close()
        }
    }

    @Test("connect: should be connected by default to the main namespace")
    func mainNamespace() async throws {
        try await connected { socket in
            try await socket.exchange(
                (
                    #"42["message","message to main namespace"]"#,
                    #"42["message-back","message to main namespace"]"#
                ))
        }
    }

    @Test("connect: should allow connection to a custom namespace")
    func customNamespace() async throws {
        try await connected { socket in
            try await socket.send("40/custom,")
            try expect(try await socket.text().hasPrefix("40/custom"), "no CONNECT")
            try expect(try await socket.text(), is: #"42/custom,["auth",{}]"#)
        }
    }

    /// The type is ERROR in this revision, its payload what the suite asks for.
    @Test("connect: should disallow connection to an unknown namespace")
    func unknownNamespace() async throws {
        try await connected { socket in
            try await socket.exchange(
                ("40/random", #"44/random,{"message":"Invalid namespace"}"#))
        }
    }

    @Test("connect: should disallow connection with an invalid handshake")
    func invalidHandshake() async throws {
        try await connected { socket in
            try await socket.send("4abc")
            try expect(try await socket.message(), is: .close(1007))
        }
    }

    /// Out of its only namespace, and without pings, the connection ends.
    @Test("disconnect: should disconnect from the main namespace")
    func leavesMain() async throws {
        try await connected { socket in
            try await socket.send("41")
            try expect(try await socket.message(), is: .close(1000))
        }
    }

    @Test("disconnect: should connect then disconnect from a custom namespace")
    func leavesCustom() async throws {
        try await connected { socket in
            try await socket.send("40/custom")
            try expect(try await socket.text().hasPrefix("40/custom"), "no CONNECT")
            try expect(try await socket.text(), is: #"42/custom,["auth",{}]"#)
            try await socket.send("41/custom")
            try await socket.exchange(
                (
                    #"42["message","message to main namespace"]"#,
                    #"42["message-back","message to main namespace"]"#
                ))
        }
    }

    @Test("message: should send a plain-text packet")
    func plainText() async throws {
        try await connected { socket in
            try await socket.exchange(
                (
                    #"42["message",1,"2",{"3":[true]}]"#,
                    #"42["message-back",1,"2",{"3":[true]}]"#
                ))
        }
    }

    /// Sends a binary packet with two attachments and expects them back behind `header`.
    private func attachments(_ sent: String, _ header: String) async throws {
        try await connected { socket in
            try await socket.send(sent)
            try await socket.send([4, 1, 2, 3])
            try await socket.send([4, 4, 5, 6])
            try expect(try await socket.text(), is: header)
            try expect(try await socket.message(), is: .binary([4, 1, 2, 3]))
            try expect(try await socket.message(), is: .binary([4, 4, 5, 6]))
        }
    }

    @Test("message: should send a packet with binary attachments")
    func binary() async throws {
        try await attachments(
            "452-[\"message\",\(Self.placeholders)]",
            "452-[\"message-back\",\(Self.placeholders)]")
    }

    @Test("message: should send a plain-text packet with an ack")
    func plainTextWithAck() async throws {
        try await connected { socket in
            try await socket.exchange(
                (
                    #"42456["message-with-ack",1,"2",{"3":[false]}]"#,
                    #"43456[1,"2",{"3":[false]}]"#
                ))
        }
    }

    @Test("message: should send a packet with binary attachments and an ack")
    func binaryWithAck() async throws {
        try await attachments(
            "452-789[\"message-with-ack\",\(Self.placeholders)]",
            "462-789[\(Self.placeholders)]")
    }

    @Test(
        "message: should close the connection upon invalid format",
        arguments: ["4abc", "42{}", #"42abc["message-with-ack",1,"2",{"3":[false]}]"#])
    func invalidFormat(_ packet: String) async throws {
        try await connected { socket in
            try await socket.send(packet)
            try expect(try await socket.message(), is: .close(1007))
        }
    }
}
