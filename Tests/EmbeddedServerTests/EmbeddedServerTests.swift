import Foundation
import Testing
import WireKit

@Suite("The example of a server embedded in a program", .timeLimit(.minutes(1)))
struct EmbeddedServerTests {
    /// A client in the namespace `/`, and its socket's id.
    private func connect(_ client: WireClient) async throws -> (socket: WireSocket, id: String) {
        let socket = try await client.webSocket("/socket.io/?EIO=4&transport=websocket")
        _ = try await socket.next()
        try await socket.send("40")
        guard case .text(let connected) = try await socket.next() else { return (socket, "") }
        return (socket, connected.components(separatedBy: "\"")[3])
    }

    @Test("Two clients talk in a room, the terminal talks to both, and its end ends the program")
    func chat() async throws {
        let program = try await ProgramProcess("EmbeddedServer", ["0"])
        let client = WireClient(port: program.port)
        let ana = try await connect(client)
        let ben = try await connect(client)

        try await ana.socket.send(#"421["join","sala"]"#)
        #expect(try await ana.socket.next() == .text(#"431[{"room":"sala"}]"#))
        try await ben.socket.send(#"422["join"]"#)
        #expect(try await ben.socket.next() == .text(#"432[{"error":"which room?"}]"#))
        try await ben.socket.send(#"423["join","sala"]"#)
        #expect(try await ben.socket.next() == .text(#"433[{"room":"sala"}]"#))
        #expect(try await ana.socket.next() == .text(#"42["joined","\#(ben.id)"]"#))
        try await ana.socket.send(#"42["say","sala",{"text":"hola"}]"#)
        #expect(try await ben.socket.next() == .text(#"42["said","\#(ana.id)",{"text":"hola"}]"#))

        try program.write(line: "lunch")
        for socket in [ana.socket, ben.socket] {
            #expect(try await socket.next() == .text(#"42["notice","lunch"]"#))
        }
        #expect(try await client.fetch("GET", "/").text == "The chat is at /socket.io/\n")

        async let exitCode = program.end()
        for socket in [ana.socket, ben.socket] {
            #expect(try await socket.next() == .close(1012))
            socket.close()
        }
        #expect(await exitCode == 0)
    }

    @Test(
        "The documentation shows the program as it is compiled",
        arguments: [
            "README.md", "Sources/Shell/SocketIOServer/SocketIOServer.docc/EmbedAServer.md",
        ])
    func shown(_ page: String) throws {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let source = root.appendingPathComponent("Examples/EmbeddedServer/EmbeddedServer.swift")
        let program = try String(contentsOf: source, encoding: .utf8)
        let text = try String(contentsOf: root.appendingPathComponent(page), encoding: .utf8)
        let holds = text.contains("```swift\n" + program + "```\n")
        #expect(holds, "\(page) does not show \(source.path) word for word")
    }
}
