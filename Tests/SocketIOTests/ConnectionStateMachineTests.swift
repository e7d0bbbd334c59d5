import JSON
import Testing

@testable import SocketIO

@Suite("Connection state machine")
struct ConnectionStateMachineTests {
    private enum Situation: CaseIterable {
        case none, connecting, connected, left, closed
    }

    private func machine(in situation: Situation) -> ConnectionStateMachine {
        var machine = ConnectionStateMachine(maxNamespaces: 2)
        guard situation != .none else { return machine }
        _ = machine.received(Packet(.connect))
        guard situation != .connecting else { return machine }
        _ = machine.accepted("/")
        if situation == .left { _ = machine.serverDisconnected("/") }
        if situation == .closed { machine.closed() }
        return machine
    }

    private let event = Packet(.event, payload: JSONText(unchecked: Array("[\"e\"]".utf8)[...]))
    private let ack = Packet(.ack, id: 1, payload: .emptyArray)

    @Test("Every packet has its answer in every state")
    func everyPair() {
        typealias Action = ConnectionStateMachine.Action
        let connect = Action.connect(namespace: "/", auth: nil)
        let expected: [Situation: [Action]] = [
            .none: [connect, .close, .close, .close, .close],
            .connecting: [.close, .cancelConnect(namespace: "/"), .close, .close, .close],
            .connected: [.close, .disconnect(namespace: "/"), .event(event), .ack(ack), .close],
            .left: [connect, .ignore, .ignore, .ignore, .close],
            .closed: [.ignore, .ignore, .ignore, .ignore, .ignore],
        ]
        let packets = [
            Packet(.connect), Packet(.disconnect), event, ack,
            Packet(.connectError, payload: .emptyObject),
        ]
        for situation in Situation.allCases {
            for (packet, action) in zip(packets, expected[situation] ?? []) {
                var machine = machine(in: situation)
                #expect(machine.received(packet) == action, "\(situation) \(packet.type)")
                if action == .close { #expect(machine.received(Packet(.connect)) == .ignore) }
            }
        }
    }

    @Test("Only a client that waits can be accepted or refused, only a connected one put out")
    func answers() {
        for situation in Situation.allCases {
            var accepting = machine(in: situation)
            #expect(accepting.accepted("/") == (situation == .connecting))
            var refusing = machine(in: situation)
            #expect(refusing.refused("/") == (situation == .connecting))
            var ending = machine(in: situation)
            #expect(ending.serverDisconnected("/") == (situation == .connected))
        }
    }

    @Test("The connection is idle while no namespace is connected")
    func idle() {
        for situation in Situation.allCases {
            #expect(machine(in: situation).isIdle == (situation != .connected))
        }
    }

    @Test("Namespaces are limited, and a place comes back")
    func limit() {
        var machine = ConnectionStateMachine(maxNamespaces: 2)
        for name in ["/", "/a"] {
            #expect(
                machine.received(Packet(.connect, namespace: name))
                    == .connect(namespace: name, auth: nil))
        }
        let third = Packet(.connect, namespace: "/b", payload: .emptyObject)
        #expect(machine.received(third) == .refuse(namespace: "/b"))
        #expect(machine.refused("/a") == true)
        #expect(machine.received(third) == .connect(namespace: "/b", auth: .emptyObject))
    }
}
