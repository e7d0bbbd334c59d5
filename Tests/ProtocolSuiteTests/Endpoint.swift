import Foundation
import Testing
import WireKit

/// A path of the server and a revision of Engine.IO, with what is particular to them.
struct Endpoint: Sendable, CustomTestStringConvertible {
    let path: String
    let revision: Int

    static let engineIO4 = Endpoint(path: "/engine.io/", revision: 4)
    static let socketIO4 = Endpoint(path: "/socket.io/", revision: 4)
    static let engineIO3 = Endpoint(path: "/engine.io/", revision: 3)
    static let socketIO3 = Endpoint(path: "/socket.io/", revision: 3)
    /// The behaviours of Engine.IO are demanded of both paths.
    static let revision4 = [engineIO4, socketIO4]
    static let revision3 = [engineIO3, socketIO3]

    var testDescription: String { "\(path) EIO=\(revision)" }

    func polling(_ sid: String? = nil) -> String { target("polling", sid) }
    func webSocket(_ sid: String? = nil) -> String { target("websocket", sid) }

    private func target(_ transport: String, _ sid: String?) -> String {
        "\(path)?EIO=\(revision)&transport=\(transport)" + (sid.map { "&sid=\($0)" } ?? "")
    }

    /// Packets as the body of a polling request or answer of revision 4.
    func payload(_ packets: String...) -> String {
        packets.joined(separator: "\u{1e}")
    }

    /// What comes back over a WebSocket for `sent`, to see that the session lives.
    var echo: (sent: String, received: String) {
        path == "/engine.io/"
            ? ("4hello", "4hello") : ("40/random", #"44/random,{"message":"Invalid namespace"}"#)
    }
}

/// What the server says first.
struct OpenPacket {
    let fields: [String: any Sendable]
    var sid: String { fields["sid"] as? String ?? "" }
    var upgrades: [String]? { fields["upgrades"] as? [String] }

    init(_ packet: String) throws {
        try expect(packet.first == "0", "\(packet) is no open packet")
        let json = try JSONSerialization.jsonObject(with: Data(packet.dropFirst().utf8))
        guard let fields = json as? [String: any Sendable] else {
            throw Mismatch("\(packet) is no open packet", #_sourceLocation)
        }
        self.fields = fields
    }

    /// Exactly the five fields, with the numbers that the suites are written for.
    func check(upgrades wanted: [String]) throws {
        try expect(
            Set(fields.keys),
            is: ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"])
        try expect(!sid.isEmpty, "the session has no id")
        try expect(upgrades, is: wanted)
        try expect(fields["pingInterval"] as? Int, is: SuiteNumbers.pingInterval)
        try expect(fields["pingTimeout"] as? Int, is: SuiteNumbers.pingTimeout)
        try expect(fields["maxPayload"] as? Int, is: SuiteNumbers.maxPayloadBytes)
    }
}

extension WireClient {
    /// The id of a new polling session.
    ///
    /// - Parameter takesBinary: in revision 3 whether the client can read bytes; else it says
    ///   `b64=1`.
    func openPolling(_ endpoint: Endpoint, takesBinary: Bool = false) async throws -> String {
        let asksForBase64 = endpoint.revision == 3 && !takesBinary
        let answer = try await fetch("GET", endpoint.polling() + (asksForBase64 ? "&b64=1" : ""))
        try expect(answer.status, is: 200)
        guard endpoint.revision == 3 else { return try OpenPacket(answer.text).sid }
        // A length and a colon stand before the packet.
        return try OpenPacket(String(answer.text.drop { $0 != ":" }.dropFirst())).sid
    }

    /// A new WebSocket session, its open packet read.
    func openWebSocket(_ endpoint: Endpoint) async throws -> WireSocket {
        let socket = try await webSocket(endpoint.webSocket())
        _ = try OpenPacket(try await socket.text())
        return socket
    }

    func post(_ target: String, _ text: String) async throws -> Answer {
        try await fetch("POST", target, body: Array(text.utf8))
    }

    /// The status of the answer that a WebSocket gets in place of 101; nil where it is opened.
    func webSocketRefusal(_ target: String) async throws -> Int? {
        do {
            try await webSocket(target).close()
            return nil
        } catch let refused as Refused {
            return refused.answer.status
        }
    }
}

extension WireSocket {
    /// The next message, pings left out.
    func message() async throws -> Message {
        while true {
            let message = try await next()
            if message != .text("2") { return message }
        }
    }

    /// The next message, which is a text, pings left out.
    func text() async throws -> String {
        let message = try await message()
        guard case .text(let text) = message else {
            throw Mismatch("\(message) is no text", #_sourceLocation)
        }
        return text
    }

    /// Sends and expects the answer.
    func exchange(_ echo: (sent: String, received: String)) async throws {
        try await send(echo.sent)
        try expect(try await text(), is: echo.received)
    }

    /// Reads up to the end of the connection and returns its close code. Answers no pings.
    func closeCode() async throws -> Int {
        while true {
            if case .close(let code) = try await next() { return code }
        }
    }
}
