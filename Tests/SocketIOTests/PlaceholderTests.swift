import JSON
import Testing

@testable import SocketIO

@Suite("Placeholders")
struct PlaceholderTests {
    @Test("They are found at any depth with their place")
    func found() throws {
        let payload = try json(
            #"["e", {"_placeholder":true,"num":0},{"a":[{"num":1,"x":0,"_placeholder":true}]}]"#)
        let found = try Placeholder.all(in: payload, attachmentCount: 2)
        #expect(found.map(\.index) == [0, 1])
        let spelled = found.map {
            String(Array(payload.text.utf8)[$0.range].map { Character(Unicode.Scalar($0)) })
        }
        #expect(
            spelled == [
                #"{"_placeholder":true,"num":0}"#, #"{"num":1,"x":0,"_placeholder":true}"#,
            ])
    }

    @Test(
        "What only looks like one is none",
        arguments: [
            #"["e",{"_placeholder":false,"num":9}]"#, #"["e",{"_placeholder":"true","num":9}]"#,
            #"["e",{"num":9}]"#, #"["e","_placeholder",true]"#,
            #"["e",{"_placeholder":{"_placeholder":false},"num":9}]"#,
            #"["e",{"_placeholder":true,"num":9,"_placeholder":1}]"#,
            #"["e",{"a":"_placeholder","b":true,"num":9}]"#,
        ])
    func lookalikes(_ payload: String) throws {
        #expect(try Placeholder.all(in: json(payload), attachmentCount: 1).isEmpty)
    }

    @Test(
        "One that names no attachment of the packet is refused",
        arguments: [
            #"["e",{"_placeholder":true}]"#, #"["e",{"_placeholder":true,"num":1}]"#,
            #"["e",{"_placeholder":true,"num":-1}]"#, #"["e",{"_placeholder":true,"num":"0"}]"#,
            #"["e",{"_placeholder":true,"num":0.5}]"#, #"["e",{"_placeholder":true,"num":null}]"#,
            #"["e",{"_placeholder":true,"num":0,"num":7}]"#,
            #"["e",{"_placeholder":true,"num":[0]}]"#,
            #"["e",{"\u005fplaceholder":true,"num":3}]"#,
            #"["e",{"_placeholder":true,"num":99999999999999999999999}]"#,
        ])
    func refused(_ payload: String) throws {
        let payload = try json(payload)
        #expect(throws: PacketError.placeholder) {
            try Placeholder.all(in: payload, attachmentCount: 1)
        }
        var decoder = PacketDecoder()
        #expect(throws: PacketError.placeholder) {
            try decoder.receivedText(bytes("51-" + payload.text))
        }
    }

    @Test("The value to send is read back as the same placeholder")
    func roundTrip() throws {
        #expect(Placeholder.index(of: Placeholder.value(3).json) == 3)
        #expect(Placeholder.index(of: .emptyObject) == nil)
        let payload: JSONValue = ["e", Placeholder.value(1)]
        #expect(try Placeholder.all(in: payload.json, attachmentCount: 2).map(\.index) == [1])
    }
}
