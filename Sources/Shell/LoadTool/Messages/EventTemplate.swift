import JSON

/// An event to send, as JSON text with places to fill: `["message",{"text":"{payload}"}]`.
///
/// Places: `{room}`, `{user}`, `{uuid}` (of the sender's object), `{payload}`, `{scene}`.
package struct EventTemplate: Sendable, Hashable {
    package enum Place: String, Sendable, CaseIterable {
        case room, user, uuid, payload, scene
    }

    private enum Part: Sendable, Hashable {
        case text([UInt8])
        case place(Place)
    }

    /// The event's name.
    package let name: String
    private let parts: [Part]

    /// - Parameter option: the option that the text came by, for the error.
    package init(_ text: String, option: String) throws(LoadError) {
        guard text.hasPrefix("[") else {
            throw .usage("\(option) \(text): expected a JSON array, [\"name\",…]")
        }
        let parts = Self.split(text)
        self.parts = parts
        let sample = parts.reduce(into: [UInt8]()) { sample, part in
            switch part {
            case .text(let bytes): sample += bytes
            case .place(.scene): sample += Array("null".utf8)
            case .place: sample += Array("x".utf8)
            }
        }
        name = try Self.name(of: String(decoding: sample, as: UTF8.self), option: option)
    }

    package var places: [Place] {
        parts.compactMap { if case .place(let place) = $0 { place } else { nil } }
    }

    /// The name that an option gives: plain, or the first element of a JSON array.
    package static func name(of text: String, option: String) throws(LoadError) -> String {
        guard text.hasPrefix("[") else {
            guard !text.isEmpty, !text.contains("\"") else {
                throw .usage("\(option) \(text): expected an event's name, or [\"name\",…]")
            }
            return text
        }
        guard let json = try? JSONText(text: text), let name = json.elements.first?.string else {
            throw .usage("\(option) \(text): not a JSON array that begins with an event's name")
        }
        return name
    }

    private static func split(_ text: String) -> [Part] {
        var parts: [Part] = []
        var plain: [UInt8] = []
        var rest = Substring(text)
        while let first = rest.first {
            let place = Place.allCases.first { rest.hasPrefix("{\($0.rawValue)}") }
            if let place {
                parts.append(.text(plain))
                parts.append(.place(place))
                plain = []
                rest = rest.dropFirst(place.rawValue.count + 2)
            } else {
                plain += Array(String(first).utf8)
                rest = rest.dropFirst()
            }
        }
        parts.append(.text(plain))
        return parts
    }

    /// The Socket.IO packet, with the places filled.
    ///
    /// - Parameters:
    ///   - acknowledgement: digits of the packet's id; empty for none.
    /// - Returns: the packet, and where the first `{payload}` went.
    func render(
        _ values: [Place: [UInt8]], acknowledgement: String = ""
    ) -> (packet: [UInt8], payloadStart: Int?) {
        var packet = Array("42\(acknowledgement)".utf8)
        var payloadStart: Int?
        for part in parts {
            switch part {
            case .text(let bytes): packet += bytes
            case .place(let place):
                if place == .payload, payloadStart == nil { payloadStart = packet.count }
                packet += values[place] ?? []
            }
        }
        return (packet, payloadStart)
    }
}
