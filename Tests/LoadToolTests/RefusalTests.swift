import Testing

@testable import LoadTool

@Suite struct RefusalTests {
    @Test(arguments: [
        (429, "Too many new connections from this address", "MAX_CONNECTS_PER_SECOND"),
        (429, "Too many connections from this address", "MAX_CONNECTIONS_PER_ADDRESS"),
        (429, "", "MAX_CONNECTIONS_PER_ADDRESS"), (503, "", "MAX_CONNECTIONS"),
    ])
    func aRefusedConnectionNamesTheVariable(_ status: Int, _ body: String, _ variable: String) {
        #expect(Refusal.hint(status: status, body: body).contains(variable))
        #expect(Refusal.hint(status: 404, body: body).isEmpty)
    }

    @Test(arguments: [
        (#""join-room-failed",{"code":"ROOM_FULL"}"#, "MAX_ROOM_MEMBERS"),
        (#""editor-sync-error",{"code":"RATE_LIMITED"}"#, "MAX_EVENTS_PER_SECOND"),
        (#""room-creation-failed",{"code":"RATE_LIMITED"}"#, "MAX_ROOMS_PER_MINUTE"),
    ])
    func aRefusedEventNamesTheVariable(_ event: String, _ variable: String) {
        #expect(Refusal.describe(event: event).contains(variable))
    }

    private func event(_ text: String) -> (name: String, isJoined: Bool, isRefusal: Bool)? {
        Array(text.utf8).withUnsafeBytes { bytes in
            ServerEvent(bytes).map { ($0.nameText, $0.isNamed("joined-room"), $0.isRefusal) }
        }
    }

    @Test(arguments: [
        (#"42["joined-room",{}]"#, "joined-room", true, false),
        (#"42["joined",{}]"#, "joined", false, false),
        (#"4217["join-room-failed"]"#, "join-room-failed", false, true),
        (#"42["editor-sync-error",{}]"#, "editor-sync-error", false, true),
    ])
    func eventsAreToldApartByName(
        _ text: String, _ name: String, _ isJoined: Bool, _ isRefusal: Bool
    ) throws {
        let found = try #require(event(text))
        #expect(found == (name, isJoined, isRefusal))
    }

    @Test(arguments: ["", "42", #"43["a"]"#, "42[1]", "42[\"unfinished", "40{}"])
    func whatIsNoEventIsNone(_ text: String) {
        #expect(event(text) == nil)
    }
}
