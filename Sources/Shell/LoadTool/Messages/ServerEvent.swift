import Glibc
import JSON

/// An event of a server that is no delivery: read only as far as needed.
struct ServerEvent {
    private let packet: UnsafeRawBufferPointer
    private let name: Range<Int>

    /// - Parameter packet: from its Engine.IO `4` on; nil unless it is an event.
    init?(_ packet: UnsafeRawBufferPointer) {
        guard packet.count > 5, packet[1] == UInt8(ascii: "2") else { return nil }
        var start = 2
        while start < packet.count, packet[start] != UInt8(ascii: "[") { start += 1 }
        start += 2
        guard start < packet.count, packet[start - 1] == UInt8(ascii: "\""),
            let base = packet.baseAddress,
            let quote = memchr(base + start, Int32(UInt8(ascii: "\"")), packet.count - start)
        else { return nil }
        self.packet = packet
        name = start..<(UnsafeRawPointer(quote) - base)
    }

    func isNamed(_ other: String) -> Bool {
        other.utf8.elementsEqual(packet[name])
    }

    var nameText: String { String(decoding: packet[name], as: UTF8.self) }

    /// Whether the event is a refusal: `join-room-failed`, `editor-sync-error`, `error`.
    var isRefusal: Bool {
        switch packet[name.upperBound - 1] {
        case UInt8(ascii: "d"): nameText.hasSuffix("-failed")
        case UInt8(ascii: "r"): nameText.hasSuffix("error")
        default: false
        }
    }

    var text: String { String(decoding: packet.dropFirst(2).prefix(600), as: UTF8.self) }
}
