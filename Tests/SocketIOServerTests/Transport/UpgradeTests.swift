import Foundation
import Testing

@testable import SocketIOServer

@Suite(.timeLimit(.minutes(1))) struct UpgradeTests {
    private func webSocketTarget(_ target: String) -> String {
        target.replacingOccurrences(of: "transport=polling", with: "transport=websocket")
    }

    /// Four times, so that the WebSocket lands on the session's loop and on the other.
    @Test func aPollingSessionMovesToAWebSocketWithNothingLost() async throws {
        try await TestServer.run { server in
            for round in 0..<4 {
                let poller = try await server.connect()
                let target = try await server.openPolling(poller)
                let session = try #require(await server.nextSession())
                if round > 1 { _ = try await server.connect() }
                poller.request("GET", target)
                try await session.eventLoop.untilPolling(session)
                let socket = try await server.connect()
                socket.upgrade(webSocketTarget(target))
                #expect(try await socket.readAnswer().status == 101)
                socket.sendText("2probe")
                #expect(try await socket.readFrame().text == "3probe")
                #expect(try await poller.readAnswer().body == "6")
                session.eventLoop.execute { session.send(.text("queued".buffer)) }
                socket.sendText("5")
                #expect(try await socket.readFrame().text == "4queued")
                socket.sendText("4over")
                #expect(try await socket.readFrame().text == "4over")
                let mismatch = try await poller.exchange("GET", target)
                #expect(mismatch.body == #"{"code":3,"message":"Bad request"}"#)
                let second = try await server.connect()
                second.upgrade(webSocketTarget(target))
                #expect(try await second.readAnswer().status == 400)
                socket.send(RawClient.frame(2, [7]))
                #expect(try await socket.readFrame().payload == [7])
                let name = try await session.eventLoop.submit { session.transportName }.get()
                #expect(name == "websocket")
                socket.close()
                #expect(await server.nextSeen() == .text("over"))
                #expect(await server.nextSeen() == .binary([7]))
                #expect(await server.nextSeen() == .closed(.transportClose))
            }
        }
    }

    @Test(arguments: ["4hello", "2", "9", "5"])
    func aCandidateThatDoesNotProbeIsClosedAndPollingGoesOn(first: String) async throws {
        try await TestServer.run { server in
            let poller = try await server.connect()
            let target = try await server.openPolling(poller)
            let socket = try await server.connect()
            socket.upgrade(webSocketTarget(target))
            #expect(try await socket.readAnswer().status == 101)
            socket.sendText(first)
            #expect(try await socket.readFrame().opcode == 8)
            socket.close()
            #expect(try await poller.exchange("POST", target, body: "4x").body == "ok")
            #expect(try await poller.exchange("GET", target).body == "4x")
        }
    }

    @Test func anUpgradeThatStallsIsGivenUp() async throws {
        var options = TestServer.options()
        options.pingInterval = .milliseconds(400)
        options.upgradeTimeout = .milliseconds(50)
        try await TestServer.run(options) { server in
            let poller = try await server.connect()
            let target = try await server.openPolling(poller)
            let socket = try await server.connect()
            socket.upgrade(webSocketTarget(target))
            #expect(try await socket.readAnswer().status == 101)
            #expect(try await socket.readFrame().opcode == 8)
            socket.close()
            #expect(try await poller.exchange("POST", target, body: "4x").body == "ok")
        }
    }

    @Test func upgradesMayBeForbidden() async throws {
        var options = TestServer.options()
        options.allowUpgrades = false
        try await TestServer.run(options) { server in
            let poller = try await server.connect()
            let target = try await server.openPolling(poller)
            let socket = try await server.connect()
            socket.upgrade(webSocketTarget(target))
            #expect(try await socket.readAnswer().status == 400)
        }
    }
}
