import JSON

@testable import Relay

extension FuzzTarget {
    /// Values and their JSON: what is read is written so that it reads the same, and JSON that is
    /// made of a message is JSON.
    static let messagePack = FuzzTarget(name: "messagepack", maxBytes: 16 << 10) { input in
        if let value = try? MessagePackValue(decoding: input[...]) {
            let written = value.encoded
            let again = try MessagePackValue(decoding: written[...])
            try require(again.encoded == written, "a value changes when written and read")
        }
        if let (json, attachments) = try? JSONText.decoding(messagePack: input[...]) {
            try checkJSON(json)
            try checkRoundTrip(json, attachments)
        }
        if let json = try? JSONText(validating: input[...]) {
            try checkRoundTrip(json, [])
        }
    }

    private static func checkJSON(_ json: JSONText) throws {
        let checked = try JSONText(validating: json.bytes)
        try require(checked == json, "whitespace around the JSON of a message")
    }

    /// JSON → MessagePack → JSON is stable from the second time on; the first may spell anew.
    private static func checkRoundTrip(
        _ json: JSONText, _ attachments: [ArraySlice<UInt8>]
    ) throws {
        var writer = MessagePackWriter()
        try writer.json(json, attachments: attachments)
        guard let once = try? JSONText.decoding(messagePack: writer.bytes[...]) else {
            // Something that looks like a placeholder beside attachments.
            return
        }
        try checkJSON(once.json)
        var secondWriter = MessagePackWriter()
        try secondWriter.json(once.json, attachments: once.attachments)
        let twice = try JSONText.decoding(messagePack: secondWriter.bytes[...])
        try require(
            twice.json == once.json && twice.attachments == once.attachments,
            "\(once.json) becomes \(twice.json)")
    }
}
