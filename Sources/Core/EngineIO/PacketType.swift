/// The kind of a packet, by the digit that begins it (Engine.IO protocol 4).
package enum PacketType: UInt8, Sendable, Hashable, CaseIterable {
    case open = 0x30
    case close = 0x31
    case ping = 0x32
    case pong = 0x33
    case message = 0x34
    case upgrade = 0x35
    case noop = 0x36
}
