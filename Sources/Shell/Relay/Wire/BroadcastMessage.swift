import JSON
import NIOCore
import SocketIO
import SocketIOServer

/// A broadcast between servers: `[uid, {type, data, nsp}, {rooms, except, flags}]` in MessagePack.
///
/// Emitters, which are no servers, write the uid `emitter`. No rooms means everybody.
package struct BroadcastMessage: Sendable {
    package let uid: String
    package let event: PreparedEvent
    package let target: BroadcastTarget

    /// Nil for what is well-formed and not for this namespace, from an ignored sender, or no event.
    package static func decode(
        _ bytes: ArraySlice<UInt8>, namespace: String, ignoring isIgnored: (String) -> Bool,
        limits: MessagePackLimits = MessagePackLimits()
    ) throws(MessagePackError) -> BroadcastMessage? {
        var reader = try MessagePackReader(bytes, limits: limits)
        guard case .array(let count) = try reader.next(), count >= 3 else {
            throw reader.error(.shape)
        }
        let uid = try reader.string()
        guard !isIgnored(uid) else { return nil }
        let packet = try RelayedPacket(from: &reader)
        let options = try MessagePackValue(from: &reader)
        for _ in 3..<count { _ = try reader.skip() }
        try reader.end()
        guard let packet, packet.namespace == namespace else { return nil }
        let target = try BroadcastTarget(relayed: options)
        return BroadcastMessage(uid: uid, event: try packet.event(limits: limits), target: target)
    }

    /// The message for an event that was prepared to be sent to clients.
    ///
    /// - Returns: nil for an empty list of rooms, which here means nobody and there everybody.
    package static func encode(
        _ event: PreparedEvent, to target: BroadcastTarget, uid: String
    ) -> [UInt8]? {
        guard target.rooms?.isEmpty != true, let payload = event.payload else { return nil }
        var writer = MessagePackWriter(capacity: event.byteCount + 128)
        writer.array(3)
        writer.string(uid)
        let data = RelayedPacket.Data(arguments: payload, attachments: event.message.attachments)
        guard RelayedPacket.write(data, namespace: event.namespace, to: &writer) else { return nil }
        target.write(to: &writer)
        return writer.bytes
    }
}

// MARK: - Parts

/// The packet of a broadcast, its arguments not yet looked at.
struct RelayedPacket {
    struct Data {
        /// A JSON array that begins with the name of the event.
        let arguments: JSONText
        let attachments: [ByteBuffer]
    }

    let namespace: String
    private let data: ArraySlice<UInt8>

    /// Nil if it is no event. Old servers mark an event with attachments by a type of its own.
    init?(from reader: inout MessagePackReader) throws(MessagePackError) {
        guard case .map(let count) = try reader.next() else { throw reader.error(.shape) }
        var type: MessagePackToken?
        var namespace = "/"
        var data: ArraySlice<UInt8>?
        for _ in 0..<count {
            switch try reader.key() {
            case "type": type = try MessagePackReader(try reader.skip()).peek()
            case "data": data = try reader.skip()
            case "nsp":
                let value = try MessagePackValue(from: &reader)
                guard value != .undefined else { continue }
                guard let name = value.string else { throw reader.error(.shape) }
                namespace = name
            default: _ = try reader.skip()
            }
        }
        guard type == .int(2) || type == .int(5), let data else { return nil }
        self.namespace = namespace
        self.data = data
    }

    /// The event as clients receive it.
    func event(limits: MessagePackLimits) throws(MessagePackError) -> PreparedEvent {
        let parts = try parts(limits: limits)
        return PreparedEvent(
            parts.event, parts.arguments, namespace: namespace, attachments: parts.attachments)
    }

    func parts(
        limits: MessagePackLimits
    ) throws(MessagePackError) -> (
        event: String, arguments: [JSONValue], attachments: [ByteBuffer]
    ) {
        var reader = try MessagePackReader(data, limits: limits)
        guard case .array(let count) = try reader.next(), count > 0 else {
            throw reader.error(.shape)
        }
        let name = try reader.string()
        guard !PayloadRules.reservedEvents.contains(name) else { throw reader.error(.shape) }
        var converter = MessagePackToJSON()
        var output: [UInt8] = []
        output.reserveCapacity(data.count + data.count / 4)
        var ends: [Int] = []
        for _ in 1..<count {
            try converter.write(&reader, into: &output)
            ends.append(output.count)
        }
        try reader.end()
        try converter.finish()
        let starts = [0] + ends.dropLast()
        let arguments = zip(starts, ends).map { start, end in
            JSONValue.raw(JSONText(unchecked: output[start..<end]))
        }
        return (name, arguments, converter.attachments.map(ByteBuffer.init))
    }

    /// False if the arguments name an attachment that is not there.
    static func write(
        _ data: Data, namespace: String, to writer: inout MessagePackWriter
    ) -> Bool {
        writer.map(3)
        writer.string("type")
        writer.int(Int64(PacketType.event.rawValue))
        writer.string("data")
        do throws(PacketError) {
            try writer.json(data.arguments, attachments: data.attachments.map(\.readableBytesView))
        } catch {
            return false
        }
        writer.string("nsp")
        writer.string(namespace)
        return true
    }
}

extension MessagePackReader {
    /// The first token of what is read next.
    func peek() throws(MessagePackError) -> MessagePackToken {
        var copy = self
        return try copy.next()
    }
}

extension PreparedEvent {
    /// The JSON array of name and arguments inside the packet that clients receive:
    /// `5<attachments>-<namespace>,[…]`, in which all but the type and the array may be absent.
    var payload: JSONText? {
        var rest = message.text.readableBytesView[...]
        guard let type = rest.popFirst() else { return nil }
        if type == UInt8(ascii: "5") {
            guard let dash = rest.firstIndex(of: UInt8(ascii: "-")) else { return nil }
            rest = rest[(dash + 1)...]
        }
        if namespace != "/" { rest = rest.dropFirst(namespace.utf8.count + 1) }
        guard rest.first == UInt8(ascii: "[") else { return nil }
        return JSONText(unchecked: Array(rest)[...])
    }
}

extension BroadcastTarget {
    /// Reads `{rooms, except, flags}`. A room may be a number, as JavaScript allows.
    init(relayed options: MessagePackValue) throws(MessagePackError) {
        guard case .map = options else { throw MessagePackError(.shape) }
        let rooms = try Self.rooms(options["rooms"])
        let except = try Self.rooms(options["except"])
        self.init(
            rooms: rooms.isEmpty ? nil : rooms, except: except,
            isVolatile: options["flags"]?["volatile"]?.bool == true)
    }

    private static func rooms(
        _ value: MessagePackValue?
    ) throws(MessagePackError) -> Set<String> {
        guard let value, value != .null, value != .undefined else { return [] }
        guard let elements = value.array else { throw MessagePackError(.shape) }
        var rooms: Set<String> = []
        for element in elements {
            switch element {
            case .string(let name): rooms.insert(name)
            case .int(let number): rooms.insert(String(number))
            default: throw MessagePackError(.shape)
            }
        }
        return rooms
    }

    func write(to writer: inout MessagePackWriter, timeoutMilliseconds: Int64? = nil) {
        writer.map(3)
        writer.string("rooms")
        writer.strings((rooms ?? []).sorted())
        writer.string("except")
        writer.strings(except.sorted())
        writer.string("flags")
        writer.map((isVolatile ? 1 : 0) + (timeoutMilliseconds == nil ? 0 : 1))
        if isVolatile {
            writer.string("volatile")
            writer.bool(true)
        }
        if let timeoutMilliseconds {
            writer.string("timeout")
            writer.int(timeoutMilliseconds)
        }
    }
}
