import Testing

@testable import LoadTool

@Suite struct EventTemplateTests {
    @Test func placesAreFilledAndThePayloadIsFound() throws {
        let template = try EventTemplate(
            #"["say",{"to":"{room}","text":"{payload}","who":"{user}"}]"#, option: "--emit")
        #expect(template.name == "say")
        let (packet, start) = template.render(
            [.room: Array("r1".utf8), .payload: Array("PP".utf8), .user: Array("u".utf8)],
            acknowledgement: "17")
        let text = String(decoding: packet, as: UTF8.self)
        #expect(text == #"4217["say",{"to":"r1","text":"PP","who":"u"}]"#)
        let place = try #require(start)
        #expect(packet[place...].starts(with: Array("PP".utf8)))
    }

    @Test func bracesThatAreNoPlacesStay() throws {
        let template = try EventTemplate(#"["a",{"b":{}},"{other}"]"#, option: "--join")
        let text = String(decoding: template.render([:]).packet, as: UTF8.self)
        #expect(text == #"42["a",{"b":{}},"{other}"]"#)
    }

    @Test(arguments: ["", "[]", "[1]", "{}", #"["a""#, #"["a",]"#, "say \"x\""])
    func whatIsNoEventIsRefused(_ text: String) {
        #expect(throws: LoadError.self) { try EventTemplate(text, option: "--emit") }
    }

    @Test func aNameMayBeGivenPlainOrAsAnArray() throws {
        #expect(try EventTemplate.name(of: "message", option: "--receive") == "message")
        #expect(try EventTemplate.name(of: #"["message",1]"#, option: "--receive") == "message")
    }

    @Test func tandemsOwnEventsAreJSON() throws {
        let contract = try ServerContract.tandem()
        #expect(contract.create?.name == "create-room" && contract.join?.name == "join-room")
        #expect(contract.emit.places.contains(.payload))
        #expect(try ServerContract.tandemScenes().emit.name == "sync-full-editor")
    }

    @Test(arguments: [
        ("https://example.org", "TLS"), ("ftp://x", "http://"), ("http://", "http://host:port"),
        ("http://x:0", "http://host:port"), ("http://127.0.0.1:99999", "http://host:port"),
    ])
    func anAddressThatCannotBeUsedIsRefused(_ url: String, _ expected: String) {
        let error = #expect(throws: LoadError.self) { try ServerAddress(url) }
        #expect(error?.description.contains(expected) == true)
    }

    @Test func anAddressIsReadWithAndWithoutAPath() throws {
        let plain = try ServerAddress("http://127.0.0.1:3001")
        #expect(plain.port == 3001 && plain.path == "/socket.io/" && plain.isLoopback)
        #expect(try ServerAddress("ws://127.0.0.1/chat/").path == "/chat/")
        #expect(try ServerAddress("127.0.0.1").port == 80)
    }
}
