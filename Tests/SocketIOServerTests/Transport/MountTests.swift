import Foundation
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import SocketIOServer

@Suite("Several mounts behind one port", .timeLimit(.minutes(1)))
struct MountTests {
    /// Sends each text back behind the name of the mount.
    private final class Named: EngineSessionDelegate {
        let name: String

        init(_ name: String) { self.name = name }

        func engineSession(_ session: any EngineSession, received text: ArraySlice<UInt8>) {
            session.send(.text(ByteBuffer(bytes: Array("\(name):".utf8) + text)))
        }

        func engineSession(
            _ session: any EngineSession, receivedBinary bytes: ArraySlice<UInt8>
        ) {}

        func engineSession(_ session: any EngineSession, closed reason: EngineCloseReason) {}
    }

    private static func mount(_ path: String, _ name: String) -> EngineMount {
        EngineMount(path: path) { $0.delegate = Named(name) }
    }

    private func withServer(
        _ mounts: [EngineMount], _ body: (Int) async throws -> Void
    ) async throws {
        let server = EngineServer(
            options: TestServer.options(), group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test"), mounts: mounts)
        let port = try await server.start().get().port ?? 0
        do {
            try await body(port)
        } catch {
            try? await server.shutdown().get()
            throw error
        }
        try await server.shutdown().get()
    }

    @Test("Each path has its own sessions, with and without a trailing slash")
    func ownSessions() async throws {
        let mounts = [Self.mount("/one", "1"), Self.mount("/two/", "2")]
        try await withServer(mounts) { port in
            for (path, answer) in [
                ("/one", "41:hi"), ("/one/", "41:hi"), ("/two", "42:hi"), ("/two/", "42:hi"),
            ] {
                let client = try await RawClient(port: port)
                client.upgrade("\(path)?EIO=4&transport=websocket")
                #expect(try await client.readAnswer().status == 101)
                #expect(try await client.readFrame().text.hasPrefix("0"))
                client.sendText("4hi")
                #expect(try await client.readFrame().text == answer)
                client.close()
            }
        }
    }

    @Test("A session's id is unknown at another mount")
    func foreignSession() async throws {
        let mounts = [Self.mount("/one", "1"), Self.mount("/two", "2")]
        try await withServer(mounts) { port in
            let client = try await RawClient(port: port)
            let open = try await client.exchange("GET", "/one/?EIO=4&transport=polling")
            let sid = open.body.components(separatedBy: "\"")[3]
            let query = "?EIO=4&transport=polling&sid=\(sid)"
            for method in ["GET", "POST"] {
                let body = method == "POST" ? "4hi" : ""
                let refusal = try await client.exchange(method, "/two/\(query)", body: body)
                #expect(refusal.status == 400)
                #expect(refusal.body == #"{"code":1,"message":"Session ID unknown"}"#)
            }
            let probe = try await RawClient(port: port)
            probe.upgrade("/two/?EIO=4&transport=websocket&sid=\(sid)")
            #expect(try await probe.readAnswer().status == 400)
            #expect(try await client.exchange("POST", "/one/\(query)", body: "4hi").status == 200)
            #expect(try await client.exchange("GET", "/one/\(query)").body == "41:hi")
            client.close()
        }
    }

    @Test("A path of no mount is a plain request")
    func plain() async throws {
        try await withServer([Self.mount("/one", "1")]) { port in
            let client = try await RawClient(port: port)
            for path in ["/", "/on", "/one/more", "/socket.io/"] {
                let answer = try await client.exchange("GET", "\(path)?EIO=4&transport=polling")
                #expect(answer.status == 404, "\(path)")
            }
            client.close()
        }
    }

    @Test("Bare Engine.IO is served beside Socket.IO")
    func besideSocketIO() async throws {
        let server = SocketIOServer(
            options: TestServer.options(),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
            mounts: [Self.mount("/engine.io", "bare")])
        let port = try await server.start().port ?? 0
        let bare = try await RawClient(port: port)
        bare.upgrade("/engine.io/?EIO=4&transport=websocket")
        _ = try await bare.readAnswer()
        _ = try await bare.readFrame()
        bare.sendText("40")
        #expect(try await bare.readFrame().text == "4bare:0")
        let full = try await RawClient(port: port)
        full.upgrade("/socket.io/?EIO=4&transport=websocket")
        _ = try await full.readAnswer()
        _ = try await full.readFrame()
        full.sendText("40")
        #expect(try await full.readFrame().text.hasPrefix("40{\"sid\":"))
        bare.close()
        full.close()
        try await server.shutdown().get()
    }
}
