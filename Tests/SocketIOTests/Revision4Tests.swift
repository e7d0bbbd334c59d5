import JSON
import Testing

@testable import SocketIO

@Suite("Protocol revision 4")
struct Revision4Tests {
    private func decode(_ text: String) throws -> Packet? {
        var decoder = PacketDecoder(revision: .four)
        return try decoder.receivedText(bytes(text))
    }

    @Test(
        "The query behind a namespace is the auth of CONNECT",
        arguments: [
            ("0", "/", nil), ("0/admin", "/admin", nil), ("0/admin,", "/admin", nil),
            ("0/admin?,", "/admin", nil), ("0/admin?&&,", "/admin", nil),
            ("0/admin?token=1234", "/admin", #"{"token":"1234"}"#),
            ("0/admin?token=1234&uid=a%20b+c,", "/admin", #"{"token":"1234","uid":"a b c"}"#),
            ("0/é?é=%C3%A9,", "/é", #"{"é":"é"}"#), ("0/a?flag,", "/a", #"{"flag":""}"#),
            ("0/a?=x,", "/a", #"{"":"x"}"#), ("0/a?b=c=d?e,", "/a", #"{"b":"c=d?e"}"#),
            ("0/a?t=1&u=2&t=3,", "/a", #"{"t":["1","3"],"u":"2"}"#),
            ("0/a?q=%22%5c,", "/a", #"{"q":"\"\\"}"#), ("0/a?q=%2C%,", "/a", #"{"q":",%"}"#),
            ("0/a?q=%+1%-0%g0%1,", "/a", #"{"q":"% 1%-0%g0%1"}"#),
            ("0/a?q=%ff,", "/a", "{\"q\":\"\u{FFFD}\"}"), ("0/?t=1,", "/", #"{"t":"1"}"#),
        ])
    func query(text: String, namespace: String, auth: String?) throws {
        let packet = try #require(try decode(text))
        #expect(packet.type == .connect)
        #expect(packet.namespace == namespace)
        #expect(packet.payload?.text == auth)
    }

    @Test("Other packets are those of revision 5, a query behind their namespace is dropped")
    func others() throws {
        var five = PacketDecoder()
        let event = try five.receivedText(bytes(#"2/admin,1["project:delete",123]"#))
        #expect(try decode(#"2/admin,1["project:delete",123]"#) == event)
        #expect(try decode(#"2/admin?token=x,1["project:delete",123]"#) == event)
        #expect(try decode("1/admin?token=x,")?.namespace == "/admin")
        #expect(try decode("1/admin")?.type == .disconnect)
        var decoder = PacketDecoder(revision: .four)
        #expect(
            try decoder.receivedText(bytes(#"51-/a,["e",{"_placeholder":true,"num":0}]"#)) == nil)
        #expect(try decoder.receivedBinary([1, 2])?.attachments == [[1, 2]])
    }

    @Test("In revision 5 a question mark is part of the name")
    func revision5() throws {
        var decoder = PacketDecoder()
        #expect(try decoder.receivedText(bytes("0/admin?token=1,"))?.namespace == "/admin?token=1")
    }

    @Test("Namespace and query are each limited")
    func limits() throws {
        var limits = PacketLimits()
        limits.maxNamespaceBytes = 5
        limits.maxConnectQueryBytes = 6
        for (text, isTaken) in [
            ("0/1234?t=1234,", true), ("0/12345?t=1,", false), ("0/1234?t=12345,", false),
            ("0/1234?t=12345", false),
        ] {
            var decoder = PacketDecoder(limits: limits, revision: .four)
            let packet = try? decoder.receivedText(bytes(text))
            #expect((packet != nil) == isTaken, "\(text)")
        }
    }

    @Test("The server opens the main namespace unasked, once")
    func opened() {
        var machine = ConnectionStateMachine(maxNamespaces: 2)
        #expect(machine.opened(.four) == .connect(namespace: "/", auth: nil))
        #expect(machine.isIdle)
        #expect(machine.accepted("/") == true)
        #expect(!machine.isIdle)
        #expect(machine.received(Packet(.connect)) == .close)
        var newer = ConnectionStateMachine(maxNamespaces: 2)
        #expect(newer.opened(.five) == .ignore)
        #expect(newer.isIdle)
    }
}
