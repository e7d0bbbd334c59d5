import JSON

@testable import Relay

extension FuzzTarget {
    /// Messages of other servers on the channels of the official adapter.
    static let relay = FuzzTarget(name: "relay", maxBytes: 16 << 10) { input in
        var limits = MessagePackLimits()
        limits.maxDepth = 40
        limits.maxValues = 4_000
        if let message = try? BroadcastMessage.decode(
            input[...], namespace: "/", ignoring: { $0 == "own" }, limits: limits)
        {
            try checkBroadcast(message)
        }
        if let request = try? RelayRequest(decoding: input[...], limits: limits),
            let written = request.encoded
        {
            let again = try RelayRequest(decoding: written[...])
            try require(again.encoded == written, "a request changes when written and read")
        }
        if let response = try? RelayResponse(decoding: input[...], limits: limits) {
            let written = response.encoded
            let again = try RelayResponse(decoding: written[...])
            try require(again.encoded == written, "a response changes when written and read")
            for socket in (response.sockets ?? []).compactMap(RemoteSocket.init) {
                let json = try JSONText(validating: socket.json.bytes)
                try require(RemoteSocket(json) == socket, "a socket changes")
            }
        }
    }

    private static func checkBroadcast(_ message: BroadcastMessage) throws {
        let payload = message.event.payload
        try require(payload != nil, "an event without a payload")
        if let payload { _ = try JSONText(validating: payload.bytes) }
        guard
            let written = BroadcastMessage.encode(
                message.event, to: message.target, uid: message.uid)
        else { return }
        let again = try BroadcastMessage.decode(
            written[...], namespace: "/", ignoring: { _ in false })
        let rewritten = again.flatMap {
            BroadcastMessage.encode($0.event, to: $0.target, uid: $0.uid)
        }
        try require(rewritten == written, "a broadcast changes when written and read")
    }
}
