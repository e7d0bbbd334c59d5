import JSON
import NIOHTTP1
import Rooms
import SocketIOServer
import TestKit
import Testing

@testable import RoomService

@Suite struct AddressLedgerTests {
    @Test func anAddressIsExhaustedAfterItsMinute() {
        var ledger = AddressLedger(limitPerMinute: 3, capacity: 10)
        for _ in 0..<3 { ledger.count("a", at: 0) }
        let now = [0, 29_999, 30_000, 59_999, 60_000].map { ledger.isExhausted("a", at: $0) }
        #expect(now == [true, true, true, true, false])
        let other = ledger.isExhausted("b", at: 60_000)
        #expect(!other)
    }

    @Test func aLongPauseForgetsEverything() {
        var ledger = AddressLedger(limitPerMinute: 1, capacity: 10)
        ledger.count("a", at: 0)
        let isExhausted = ledger.isExhausted("a", at: 3_600_000)
        #expect(!isExhausted)
    }

    @Test func soManyAddressesAreRememberedAndNoMore() {
        var ledger = AddressLedger(limitPerMinute: 1, capacity: 2)
        for address in ["a", "b", "c", "d", "e"] { ledger.count(address, at: 1) }
        let known = ["a", "b", "c", "d", "e"].map { ledger.isExhausted($0, at: 1) }
        #expect(known == [false, false, true, true, true])
    }
}

@Suite struct ResumeCookieTests {
    private func request(_ cookie: String?) -> HandshakeRequest {
        var headers = HTTPHeaders()
        if let cookie { headers.add(name: "Cookie", value: cookie) }
        return HandshakeRequest(
            method: .GET, path: "/", query: [], headers: headers, remoteAddress: "::1",
            peerAddress: "::1", isWebSocket: true)
    }

    @Test func aGoodCookieIsKept() {
        let token = String(repeating: "0f", count: 16)
        #expect(ResumeCookie.token(of: request("a=b; tandem_resume=\(token); c")) == token)
    }

    @Test(arguments: [
        nil, "other=1", "tandem_resume=", "tandem_resume=short",
        "tandem_resume=0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0F",
        "tandem_resume=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0g",
        "tandem_resume=0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0",
    ])
    func anyOtherIsReplacedByAFreshOne(cookie: String?) {
        let request = request(cookie)
        let token = ResumeCookie.token(of: request)
        #expect(token == request.freshToken && ResumeCookie.isValid(token))
    }

    @Test func roomsKnowOnlyAHash() {
        let token = String(repeating: "0f", count: 16)
        let credential = ResumeCookie.credential(of: token)
        #expect(credential.count == 32 && credential != token)
        #expect(credential == ResumeCookie.credential(of: token))
        #expect(credential != ResumeCookie.credential(of: String(token.reversed())))
    }

    @Test func theHeaderKeepsScriptsAndOtherSitesAway() {
        let plain = ResumeCookie.header(token: "t", isSecure: false)
        #expect(
            plain == "tandem_resume=t; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax")
        #expect(ResumeCookie.header(token: "t", isSecure: true) == plain + "; Secure")
    }
}

@Suite struct MessagesTests {
    private static let codes: [ErrorCode] = [
        .validation, .missingData, .roomExists, .creation, .roomNotFound, .invalidPassword, .join,
        .roomFull, .rateLimited, .notHost, .delete, .userNotInRoom, .tooLarge,
        .storageUnavailable, .internalError,
    ]
    private static let fields: [Messages.FieldProblem] = [
        .roomID, .password, .payload, .editor("x"), .missing("objectUuid"),
    ]

    private func texts(_ language: Messages.Language) -> [String] {
        let messages = Messages(language: language)
        return Self.codes.map(messages.text) + Self.fields.map(messages.field)
            + [
                messages.roomEnded, messages.fullEditorStored, messages.shutdown,
                messages.roomDeleted(by: "Ana"),
            ]
    }

    @Test func everyMessageIsSaidInBothLanguagesDifferently() {
        let (english, spanish) = (texts(.english), texts(.spanish))
        #expect(zip(english, spanish).allSatisfy { $0 != $1 && !$0.isEmpty && !$1.isEmpty })
        #expect(Set(english).count == english.count && Set(spanish).count == spanish.count)
    }

    @Test func whatIsMeantIsNamed() {
        for language in Messages.Language.allCases {
            let messages = Messages(language: language)
            #expect(messages.roomDeleted(by: "Ana").contains("Ana"))
            #expect(messages.field(.missing("objectUuid")).contains("objectUuid"))
            #expect(messages.field(.editor("too deep")).contains("too deep"))
        }
    }
}

@Suite struct SharedClockTests {
    @Test func timeIsReadFromTheMonotonicClockAlone() {
        let time = ManualTime()
        let clock = SharedClock(wallMilliseconds: 1_000_000) { time.now }
        #expect(clock.nowMilliseconds == 1_000_000 && clock.elapsedMilliseconds == 0)
        time.now = .milliseconds(1_500)
        #expect(clock.nowMilliseconds == 1_001_500 && clock.elapsedMilliseconds == 1_500)
    }

    @Test func versionsRiseAlsoBehindWhatWasObserved() {
        let time = ManualTime()
        let clock = SharedClock(wallMilliseconds: 1_000_000) { time.now }
        let first = clock.next()
        let second = clock.next()
        clock.observe(second + 1_000_000)
        let third = clock.next()
        #expect(first < second && third > second + 1_000_000 && clock.last == third)
        clock.observe(first)
        #expect(clock.last == third)
        clock.observe(.max)
        let last = clock.next()
        #expect(last > third && last < 1 << 53)
    }

    @Test func theProcessesClockRuns() {
        let clock = SharedClock()
        #expect(clock.nowMilliseconds > 1_700_000_000_000)
        let before = clock.elapsed
        #expect(clock.next() < clock.next() && clock.elapsed >= before)
    }
}

@Suite struct EditEventsTests {
    /// Event, payload, event to the others, key while it is held, member that names the doer.
    private static let edits: [(ClientEvent, String, String, String?, String)] = [
        (
            .objectUpdate,
            #"{"objectUuid":"u","changeType":"general","objectData":{"object":{"uuid":"u"}}}"#,
            "receive-editor-object-update", "object:u", "updatedBy"
        ),
        (
            .objectUpdate, #"{"objectData":{"object":{"uuid":"u"}}}"#,
            "receive-editor-object-update", "object:u", "updatedBy"
        ),
        (
            .objectUpdate,
            #"{"objectUuid":"u","changeType":"object-added","objectData":{"object":{}}}"#,
            "receive-editor-object-update", nil, "updatedBy"
        ),
        (
            .objectRemoval, #"{"objectId":"u","objectType":"Mesh"}"#,
            "receive-editor-object-removal", nil, "removedBy"
        ),
        (
            .objectRemoval, #"{"objectUuid":"u"}"#, "receive-editor-object-removal", nil,
            "removedBy"
        ),
        (
            .materialUpdate, #"{"materialUuid":"m","materialData":{"uuid":"m"}}"#,
            "receive-editor-material-update", nil, "updatedBy"
        ),
        (
            .backgroundUpdate, #"{"backgroundData":{"type":"Color","r":0,"g":0.5,"b":1}}"#,
            "receive-scene-background-update", "background", "updatedBy"
        ),
        (
            .backgroundUpdate, #"{"backgroundData":null}"#, "receive-scene-background-update",
            "background", "updatedBy"
        ),
        (
            .fogUpdate, #"{"fogData":null}"#, "receive-scene-fog-update", "fog", "updatedBy"
        ),
        (
            .scriptAdded, #"{"objectUuid":"u","script":{"name":"s","source":"x"}}"#,
            "receive-script-added", nil, "updatedBy"
        ),
        (
            .scriptChanged, #"{"objectUuid":"u","script":{"name":"s","source":"x"}}"#,
            "receive-script-changed", nil, "updatedBy"
        ),
        (
            .scriptRemoved, #"{"objectUuid":"u","script":{"name":"s"}}"#,
            "receive-script-removed", nil, "updatedBy"
        ),
    ]

    private func deliver(_ edit: SceneEdit, by author: String?) -> (String, JSONText) {
        let version: Version = 2_048_000
        let entry = VersionedEntry(
            version: version, previous: 1,
            entry: RoomEntry(id: "e", change: .edited(edit, by: author ?? "")))
        let (event, payload) = EditEvents.delivery(
            of: edit, by: author, authorName: author == nil ? nil : "Ana", entry)
        return (event, payload.json)
    }

    @Test(arguments: edits.indices)
    func eachEditComesThroughAsItWasSent(index: Int) throws {
        let (event, text, receiveEvent, key, doer) = Self.edits[index]
        let sent = try JSONText(text: text)
        let edit = try #require(try EditEvents.parse(event, sent))
        #expect(EditEvents.holdKey(of: edit) == key)
        let (name, payload) = deliver(edit, by: "socket")
        #expect(name == receiveEvent)
        for field in ["objectData", "materialData", "backgroundData", "fogData", "script"] {
            #expect(payload[key: field] == sent[key: field], "\(field)")
        }
        let names = ["objectUuid", "materialUuid", "objectId"]
        let namesObject = names.contains { ["u", "m"].contains(payload[key: $0]?.string) }
        #expect(namesObject == edit.isOfObject)
        #expect(payload["originUserId"]?.string == "socket")
        #expect(payload[key: doer]?.string == "Ana")
        #expect(payload["timestamp"]?.int == 1_000 && payload["version"]?.int == 2_048_000)
    }

    @Test func withoutAnAuthorNobodyIsTheOrigin() throws {
        let (_, payload) = deliver(.objectRemoval(uuid: "u"), by: nil)
        #expect(payload["originUserId"] == nil && payload["removedBy"]?.isNull == true)
    }

    @Test(arguments: [
        (ClientEvent.objectUpdate, #"{"objectUuid":"u"}"#, "objectData"),
        (.objectUpdate, #"{"objectUuid":"u","objectData":[]}"#, "objectData"),
        (.objectUpdate, #"{"objectData":{}}"#, "objectUuid"),
        (.objectRemoval, "{}", "objectId"), (.objectRemoval, #"{"objectId":7}"#, "objectId"),
        (.materialUpdate, #"{"materialData":{}}"#, "materialUuid"),
        (.materialUpdate, #"{"materialUuid":"m"}"#, "materialData"),
        (.backgroundUpdate, "{}", "backgroundData"), (.fogUpdate, "{}", "fogData"),
        (.scriptAdded, #"{"script":{}}"#, "objectUuid"),
        (.scriptChanged, #"{"objectUuid":"u"}"#, "script"),
        (.scriptRemoved, #"{"objectUuid":"u","script":"s"}"#, "script"),
        (.scriptRemoved, "null", "objectUuid"), (.objectUpdate, "[]", "objectData"),
    ])
    func whatIsMissingIsNamed(event: ClientEvent, text: String, field: String) throws {
        #expect(throws: RequestProblem(code: .missingData, field: .missing(field))) {
            try EditEvents.parse(event, JSONText(text: text))
        }
    }

    @Test func otherEventsAreNoEdits() throws {
        let edits: Set<ClientEvent> = [
            .objectUpdate, .objectRemoval, .materialUpdate, .backgroundUpdate, .fogUpdate,
            .scriptAdded, .scriptChanged, .scriptRemoved,
        ]
        for event in ClientEvent.allCases where !edits.contains(event) {
            #expect(try EditEvents.parse(event, .emptyObject) == nil)
        }
    }
}

extension SceneEdit {
    fileprivate var isOfObject: Bool {
        switch self {
        case .background, .fog, .replace: false
        default: true
        }
    }
}

@Suite struct OperationQueueTests {
    private func pending(_ id: String, bytes: Int = 0) -> LiveRoom.Pending {
        let data = JSONText(unchecked: Array(repeating: UInt8(ascii: " "), count: bytes)[...])
        return LiveRoom.Pending(id: id, operation: .edit(.fog(data), by: "")) { _ in }
    }

    @Test func bytesAreCountedInAndOut() {
        var queue = OperationQueue()
        queue.append(pending("a", bytes: 100))
        queue.append(pending("b", bytes: 200))
        let two = queue.byteCount
        let first = queue.operations[0]
        queue.removeFirst(1)
        #expect(queue.byteCount == two - first.operation.approximateBytes)
        queue.putBack([first])
        #expect(queue.byteCount == two && queue.operations.map(\.id) == ["a", "b"])
        #expect(queue.removeAll().count == 2 && queue.byteCount == 0 && queue.isEmpty)
    }

    @Test func oneOfAnySizeIsAdmittedAloneAndOthersWithinTheBytes() {
        var limits = ServiceLimits()
        limits.queuedBytes = 1_000
        var queue = OperationQueue()
        let large = pending("a", bytes: 5_000)
        #expect(queue.admits(large.operation, limits))
        queue.append(large)
        #expect(!queue.admits(pending("b").operation, limits))
    }
}

@Suite struct WireEventTests {
    @Test func everyEventHasAFailureAndACode() {
        for event in ClientEvent.allCases {
            #expect(!event.failureEvent.isEmpty)
        }
        #expect(ClientEvent.syncFullEditor.failureEvent == "sync-full-editor-error")
        #expect(ClientEvent.leaveRoom.failureEvent == "left-room")
        #expect(ClientEvent.joinRoom.malformedCode == .validation)
        #expect(ClientEvent.fogUpdate.malformedCode == .missingData)
    }
}
