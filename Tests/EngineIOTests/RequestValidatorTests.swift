import Testing

@testable import EngineIO

@Suite struct RequestValidatorTests {
    typealias Request = RequestValidator.Request

    private func decide(
        _ method: Request.Method = .get, transport: String? = "polling", revision: String? = "4",
        sid: String? = nil, isUpgrade: Bool = false, wantsScript: Bool = false,
        allowing transports: Set<TransportKind> = [.polling, .webSocket],
        _ revisions: Set<ProtocolRevision> = [.three, .four]
    ) -> RequestValidator.Decision {
        RequestValidator(transports: transports, revisions: revisions).decide(
            Request(
                method: method, transport: transport, revision: revision, sid: sid,
                isUpgrade: isUpgrade, wantsScript: wantsScript))
    }

    @Test func goodRequestsAreSortedByWhatTheyWant() {
        #expect(decide() == .open(.polling, .four))
        #expect(decide(transport: "websocket", isUpgrade: true) == .open(.webSocket, .four))
        #expect(decide(revision: "3") == .open(.polling, .three))
        #expect(
            decide(transport: "websocket", revision: "3", isUpgrade: true)
                == .open(.webSocket, .three))
        #expect(decide(sid: "a") == .poll(sid: "a"))
        #expect(decide(.post, sid: "a") == .post(sid: "a"))
        #expect(decide(transport: "websocket", sid: "a", isUpgrade: true) == .probe(sid: "a"))
    }

    @Test func eachRefusalHasTheNumberOfTheProtocol() {
        let unsupported = RequestValidator.Decision.refuse(.unsupportedProtocolVersion)
        #expect(decide(transport: nil) == .refuse(.unknownTransport))
        #expect(decide(transport: "webtransport") == .refuse(.unknownTransport))
        #expect(decide(allowing: [.webSocket]) == .refuse(.unknownTransport))
        #expect(decide(.post) == .refuse(.badHandshakeMethod))
        #expect(decide(.other) == .refuse(.badHandshakeMethod))
        #expect(decide(transport: "websocket") == .refuse(.badRequest))
        #expect(decide(isUpgrade: true) == .refuse(.badRequest))
        #expect(decide(.other, sid: "a") == .refuse(.badRequest))
        #expect(decide(.post, transport: "websocket", sid: "a") == .refuse(.badRequest))
        #expect(decide(revision: nil) == .refuse(.unsupportedProtocolVersion))
        #expect(decide(revision: "3", allowing: [.polling], [.four]) == unsupported)
        #expect(decide(revision: "2") == unsupported)
        #expect(decide(revision: "03") == unsupported)
        #expect(decide(revision: "abc") == .refuse(.unsupportedProtocolVersion))
    }

    /// A script is readable for pages that the rule of origins keeps out.
    @Test func anAnswerAsAScriptIsRefusedInEveryRevision() {
        for revision in ["3", "4"] {
            #expect(decide(revision: revision, wantsScript: true) == .refuse(.badRequest))
            #expect(
                decide(revision: revision, sid: "a", wantsScript: true) == .refuse(.badRequest))
        }
        #expect(decide(.post, sid: "a", wantsScript: true) == .refuse(.badRequest))
    }

    @Test func numbersMessagesAndStatusesAreThoseOfTheReferenceServer() {
        let expected = [
            (0, "Transport unknown", 400), (1, "Session ID unknown", 400),
            (2, "Bad handshake method", 400), (3, "Bad request", 400), (4, "Forbidden", 403),
            (5, "Unsupported protocol version", 400),
        ]
        for (error, (code, message, status)) in zip(RequestError.allCases, expected) {
            #expect(error.rawValue == code)
            #expect(error.message == message)
            #expect(error.httpStatus == status)
        }
    }
}
