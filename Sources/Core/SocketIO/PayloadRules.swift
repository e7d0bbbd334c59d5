package import JSON

/// What each packet type allows as payload; the same as the official parser enforces, and events
/// and acks need one.
package enum PayloadRules {
    /// Names of events that an application can neither send nor receive.
    package static let reservedEvents: Set<String> = [
        "connect", "connect_error", "disconnect", "disconnecting", "newListener",
        "removeListener",
    ]

    /// Checks kind and, for events, the name.
    package static func check(
        _ payload: JSONText?, of type: PacketType, limits: PacketLimits = PacketLimits()
    ) throws(PacketError) {
        switch type {
        case .connect:
            guard payload == nil || payload?.kind == .object else { throw .payload }
        case .disconnect:
            guard payload == nil else { throw .payload }
        case .connectError:
            guard payload?.kind == .object || payload?.kind == .string else { throw .payload }
        case .ack:
            guard payload?.kind == .array else { throw .payload }
        case .event:
            guard let payload, payload.kind == .array else { throw .payload }
            try checkEventName(payload.firstElement, limits)
        }
    }

    private static func checkEventName(
        _ name: JSONText?, _ limits: PacketLimits
    ) throws(PacketError) {
        guard let name, name.kind == .string || name.kind == .number else { throw .payload }
        guard name.bytes.count <= limits.maxEventNameBytes + 2 else { throw .eventName }
        guard let text = name.string else { return }
        guard !reservedEvents.contains(text) else { throw .reservedEvent }
    }
}
