import Testing
import WireKit

@Suite("Socket.IO protocol: connect and disconnect", .timeLimit(.minutes(1)))
struct SocketIOConnectTests {
    private func connects(
        _ sent: String, _ prefix: String, auth: String
    ) async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(.socketIO4)
            try await socket.send(sent)
            let answer = try await socket.text()
            try expect(
                answer.wholeMatch(of: /40(\/custom,)?\{"sid":"[^"]+"\}/) != nil
                    && answer.hasPrefix(prefix + "{"), "\(answer) is no CONNECT")
            try expect(
                try await socket.text(),
                is: prefix.replacing("40", with: "42") + "[\"auth\",\(auth)]")
            socket.close()
        }
    }

    @Test("connect: should allow connection to the main namespace")
    func mainNamespace() async throws {
        try await connects("40", "40", auth: "{}")
    }

    @Test("connect: should allow connection to the main namespace with a payload")
    func mainNamespaceWithPayload() async throws {
        try await connects(#"40{"token":"123"}"#, "40", auth: #"{"token":"123"}"#)
    }

    @Test("connect: should allow connection to a custom namespace")
    func customNamespace() async throws {
        try await connects("40/custom,", "40/custom,", auth: "{}")
    }

    @Test("connect: should allow connection to a custom namespace with a payload")
    func customNamespaceWithPayload() async throws {
        try await connects(#"40/custom,{"token":"abc"}"#, "40/custom,", auth: #"{"token":"abc"}"#)
    }

    @Test("connect: should disallow connection to an unknown namespace")
    func unknownNamespace() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(.socketIO4)
            try await socket.exchange(
                ("40/random", #"44/random,{"message":"Invalid namespace"}"#))
            socket.close()
        }
    }

    @Test("connect: should disallow connection with an invalid handshake")
    func invalidHandshake() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(.socketIO4)
            try await socket.send("4abc")
            try expect(try await socket.message(), is: .close(1007))
        }
    }

    /// The client answers pings: nothing but the missing handshake ends the connection.
    @Test("connect: should close the connection if no handshake is received")
    func noHandshake() async throws {
        try await scenario { client in
            let socket = try await client.openWebSocket(.socketIO4)
            let start = ContinuousClock.now
            while try await socket.next() == .text("2") { try await socket.send("3") }
            let time = start.duration(to: .now)
            let limit = Duration.milliseconds(SuiteNumbers.connectTimeout)
            try expect(
                time > limit - .milliseconds(150) && time < limit * 2, "closed after \(time)")
        }
    }

    @Test("disconnect: should disconnect from the main namespace")
    func leavesMain() async throws {
        try await scenario { client in
            let socket = try await client.connected()
            try await socket.send("41")
            // The connection stays, and is pinged.
            try expect(try await socket.next(), is: .text("2"))
            socket.close()
        }
    }

    @Test("disconnect: should connect then disconnect from a custom namespace")
    func leavesCustom() async throws {
        try await scenario { client in
            let socket = try await client.connected()
            try expect(try await socket.next(), is: .text("2"))
            try await socket.send("40/custom")
            try expect(try await socket.text().hasPrefix("40/custom,{"), "no CONNECT")
            try expect(try await socket.text(), is: #"42/custom,["auth",{}]"#)
            try await socket.send("41/custom")
            try await socket.exchange(
                (
                    #"42["message","message to main namespace"]"#,
                    #"42["message-back","message to main namespace"]"#
                ))
            socket.close()
        }
    }
}

extension WireClient {
    /// A client in the main namespace, with CONNECT and `auth` behind it.
    func connected() async throws -> WireSocket {
        let socket = try await openWebSocket(.socketIO4)
        try await socket.send("40")
        try expect(try await socket.text().hasPrefix("40{"), "no CONNECT")
        try expect(try await socket.text(), is: #"42["auth",{}]"#)
        return socket
    }
}
