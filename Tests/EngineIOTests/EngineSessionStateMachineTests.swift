import Foundation
import Testing

@testable import EngineIO

typealias Machine = EngineSessionStateMachine

/// A state by name, and how to come to it.
enum Situation: String, CaseIterable, Sendable {
    case polling, waiting, posting, candidate, candidateWaiting, probed, probedWaiting
    case webSocket, closing, closed

    func make(_ revision: ProtocolRevision = .four) -> Machine {
        let settings = Machine.Settings(
            pingInterval: 1000, pongPatience: 2000, upgradeTimeout: 500, closeTimeout: 300)
        var machine = Machine(
            self == .webSocket ? .webSocket : .polling, revision: revision, settings: settings,
            now: 0)
        switch self {
        case .polling, .webSocket: break
        case .waiting: #expect(machine.pollArrived(hasQueued: false, now: 0) == .hold)
        case .posting: #expect(machine.postArrived() == .read)
        case .candidate: #expect(machine.probeArrived(now: 0) == nil)
        case .candidateWaiting:
            #expect(machine.probeArrived(now: 0) == nil)
            #expect(machine.pollArrived(hasQueued: false, now: 0) == .hold)
        case .probed, .probedWaiting:
            #expect(machine.probeArrived(now: 0) == nil)
            let probe = Packet(.ping, bytes("probe"))
            #expect(machine.probeReceived(probe, now: 0) == .answerProbe(flushPoll: false))
            if self == .probedWaiting {
                for _ in 0..<3 {
                    #expect(machine.pollArrived(hasQueued: false, now: 0) == .answerNoop)
                }
                #expect(machine.pollArrived(hasQueued: false, now: 0) == .hold)
            }
        case .closing:
            #expect(
                machine.closeRequested(lingers: true, now: 0) == .awaitPoll(closeProbe: false))
        case .closed:
            #expect(machine.clientGone() == .end(flushPoll: false, closeProbe: false))
        }
        return machine
    }
}

@Suite struct EngineSessionStateMachineTests {
    /// One row an event: what it is answered in each situation, in the order of `Situation`.
    struct Row: Sendable, CustomTestStringConvertible {
        let name: String
        let event: @Sendable (inout Machine) -> String
        let answers: [String]
        var testDescription: String { name }
    }

    static func text(_ value: some Any) -> String {
        String(describing: value)
            .replacingOccurrences(of: "EngineIO.EngineSessionStateMachine.CloseCause.", with: "")
            .replacingOccurrences(of: "EngineIO.RequestError.", with: "")
    }

    static let rows: [Row] = [
        Row(
            name: "message", event: { text($0.received(.message, now: 1)) },
            answers: .init(repeating: "deliver", count: 8) + ["ignore", "ignore"]),
        Row(
            name: "pong", event: { text($0.received(.pong, now: 1)) },
            answers: .init(repeating: "ignore", count: 10)),
        Row(
            name: "noop", event: { text($0.received(.noop, now: 1)) },
            answers: .init(repeating: "ignore", count: 10)),
        Row(
            name: "client ping", event: { text($0.received(.ping, now: 1)) },
            answers: .init(repeating: "close(transportError)", count: 8) + ["ignore", "ignore"]),
        Row(
            name: "client close", event: { text($0.received(.close, now: 1)) },
            answers: .init(repeating: "close(transportClose)", count: 8) + ["ignore", "ignore"]),
        Row(
            name: "poll", event: { text($0.pollArrived(hasQueued: false, now: 1)) },
            answers: [
                "hold", "closeOverlap", "hold", "hold", "closeOverlap", "answerNoop",
                "closeOverlap", "refuse(badRequest)", "answerClose", "refuse(unknownSession)",
            ]),
        Row(
            name: "poll with queue", event: { text($0.pollArrived(hasQueued: true, now: 1)) },
            answers: [
                "answerQueued", "closeOverlap", "answerQueued", "answerQueued", "closeOverlap",
                "answerQueued", "closeOverlap", "refuse(badRequest)", "answerClose",
                "refuse(unknownSession)",
            ]),
        Row(
            name: "flush", event: { text($0.takePoll()) },
            answers: [
                "false", "true", "false", "false", "true", "false", "true", "false", "false",
                "false",
            ]),
        Row(
            name: "poll aborted", event: { text($0.pollAborted().map(text) ?? "nil") },
            answers: [
                "nil", "transportError", "nil", "nil", "transportError", "nil", "transportError",
                "nil", "nil", "nil",
            ]),
        Row(
            name: "post", event: { text($0.postArrived()) },
            answers: [
                "read", "read", "closeOverlap", "read", "read", "read", "read",
                "refuse(badRequest)", "refuse(unknownSession)", "refuse(unknownSession)",
            ]),
        Row(
            name: "post ended", event: { text($0.postEnded()) },
            answers: .init(repeating: "true", count: 7) + ["false", "false", "false"]),
        Row(
            name: "probe arrived", event: { text($0.probeArrived(now: 1).map(text) ?? "taken") },
            answers: [
                "taken", "taken", "taken", "badRequest", "badRequest", "badRequest", "badRequest",
                "badRequest", "unknownSession", "unknownSession",
            ]),
        Row(
            name: "2probe",
            event: { text($0.probeReceived(Packet(.ping, bytes("probe")), now: 1)) },
            answers: [
                "closeProbe", "closeProbe", "closeProbe", "answerProbe(flushPoll: false)",
                "answerProbe(flushPoll: true)", "closeProbe", "closeProbe", "closeProbe",
                "closeProbe", "closeProbe",
            ]),
        Row(
            name: "2 without probe", event: { text($0.probeReceived(Packet(.ping), now: 1)) },
            answers: .init(repeating: "closeProbe", count: 10)),
        Row(
            name: "upgrade", event: { text($0.probeReceived(Packet(.upgrade), now: 1)) },
            answers: [
                "closeProbe", "closeProbe", "closeProbe", "closeProbe", "closeProbe",
                "completeUpgrade(flushPoll: false)", "completeUpgrade(flushPoll: true)",
                "closeProbe", "closeProbe", "closeProbe",
            ]),
        Row(
            name: "message before the upgrade",
            event: { text($0.probeReceived(Packet(.message, bytes("x")), now: 1)) },
            answers: .init(repeating: "closeProbe", count: 10)),
        Row(
            name: "close, lingering",
            event: { text($0.closeRequested(lingers: true, now: 1)) },
            answers: [
                "awaitPoll(closeProbe: false)", "answerPollWithClose(closeProbe: false)",
                "awaitPoll(closeProbe: false)", "awaitPoll(closeProbe: true)",
                "answerPollWithClose(closeProbe: true)", "awaitPoll(closeProbe: true)",
                "answerPollWithClose(closeProbe: true)", "closeWebSocket", "nothing", "nothing",
            ]),
        Row(
            name: "close at once",
            event: { text($0.closeRequested(lingers: false, now: 1)) },
            answers: [
                "forget(closeProbe: false)", "answerPollWithClose(closeProbe: false)",
                "forget(closeProbe: false)", "forget(closeProbe: true)",
                "answerPollWithClose(closeProbe: true)", "forget(closeProbe: true)",
                "answerPollWithClose(closeProbe: true)", "closeWebSocket", "nothing", "nothing",
            ]),
        Row(
            name: "client gone", event: { text($0.clientGone()) },
            answers: [
                "end(flushPoll: false, closeProbe: false)",
                "end(flushPoll: true, closeProbe: false)",
                "end(flushPoll: false, closeProbe: false)",
                "end(flushPoll: false, closeProbe: true)",
                "end(flushPoll: true, closeProbe: true)",
                "end(flushPoll: false, closeProbe: true)",
                "end(flushPoll: true, closeProbe: true)",
                "end(flushPoll: false, closeProbe: false)", "nothing", "nothing",
            ]),
        Row(
            name: "400 ms", event: { due($0.timePassed(now: 400)) },
            answers: ["", "", "", "", "", "", "noop", "", "forget", ""]),
        Row(
            name: "600 ms", event: { due($0.timePassed(now: 600)) },
            answers: ["", "", "", "probe", "probe", "probe", "probe", "", "forget", ""]),
        Row(
            name: "1000 ms", event: { due($0.timePassed(now: 1000)) },
            answers: [
                "ping", "ping", "ping", "ping probe", "ping probe", "ping probe", "ping probe",
                "ping", "forget", "",
            ]),
    ]

    private static func due(_ actions: Machine.TimerActions) -> String {
        var words: [String] = []
        if actions.sendPing { words.append("ping") }
        if actions.answerPollWithNoop { words.append("noop") }
        if actions.closeProbe { words.append("probe") }
        if let cause = actions.close { words.append("\(cause)") }
        if actions.forget { words.append("forget") }
        return words.joined(separator: " ")
    }

    /// Revision 3 answers some events otherwise: the client pings.
    static let revision3Rows: [Row] = [
        Row(
            name: "client ping", event: { text($0.received(.ping, now: 1)) },
            answers: .init(repeating: "answerPing", count: 8) + ["ignore", "ignore"]),
        Row(
            name: "pong", event: { text($0.received(.pong, now: 1)) },
            answers: .init(repeating: "close(transportError)", count: 8) + ["ignore", "ignore"]),
        Row(
            name: "1000 ms", event: { due($0.timePassed(now: 1000)) },
            answers: ["", "", "", "probe", "probe", "probe", "probe", "", "forget", ""]),
        Row(
            name: "2999 ms", event: { due($0.timePassed(now: 2999)) },
            answers: ["", "", "", "probe", "probe", "probe", "probe", "", "forget", ""]),
        Row(
            name: "3000 ms", event: { due($0.timePassed(now: 3000)) },
            answers: [
                "pingTimeout", "pingTimeout", "pingTimeout", "probe pingTimeout",
                "probe pingTimeout", "probe pingTimeout", "probe pingTimeout", "pingTimeout",
                "forget", "",
            ]),
        Row(
            name: "3500 ms, heard at 600",
            event: {
                $0.heard(now: 600)
                return due($0.timePassed(now: 3500))
            },
            answers: ["", "", "", "probe", "probe", "probe", "probe", "", "forget", ""]),
    ]

    @Test(arguments: rows)
    func everyEventHasItsAnswerInEverySituation(row: Row) {
        expectAnswers(row, .four)
        guard !Self.revision3Rows.contains(where: { $0.name == row.name }) else { return }
        expectAnswers(row, .three)
    }

    @Test(arguments: revision3Rows)
    func inRevision3TheClientPings(row: Row) {
        expectAnswers(row, .three)
    }

    private func expectAnswers(_ row: Row, _ revision: ProtocolRevision) {
        #expect(row.answers.count == Situation.allCases.count)
        for (situation, expected) in zip(Situation.allCases, row.answers) {
            var machine = situation.make(revision)
            #expect(row.event(&machine) == expected, "\(row.name) in \(situation) \(revision)")
        }
    }

    /// Any sequence of events leaves a machine that holds its invariants.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func noSequenceOfEventsBreaksAnInvariant(seed: UInt64) {
        var random = SplitMix(state: seed)
        for round in 0..<500 {
            var machine = Situation.polling.make(round % 2 == 0 ? .four : .three)
            var hasEnded = false
            for _ in 0..<40 {
                let row = Self.rows[Int(random.next() % UInt64(Self.rows.count))]
                _ = row.event(&machine)
                if machine.isClosed { hasEnded = true }
                #expect(machine.isClosed == hasEnded, "a closed session came back; seed \(seed)")
                #expect((machine.nextDeadline == nil) == machine.isClosed)
                let takesPoll = machine.takePoll()
                if !machine.isOpen { #expect(takesPoll == false) }
            }
        }
    }

    @Test func anUpgradedSessionKeepsItsHeartbeat() {
        var machine = Situation.probed.make()
        _ = machine.probeReceived(Packet(.upgrade), now: 10)
        #expect(machine.transport == .webSocket)
        #expect(machine.timePassed(now: 1000) == .init(sendPing: true))
        #expect(machine.timePassed(now: 3000) == .init(close: .pingTimeout))
    }

    @Test func pollsDuringAnUpgradeDoNotSpin() {
        var machine = Situation.probed.make()
        for _ in 0..<3 { #expect(machine.pollArrived(hasQueued: false, now: 1) == .answerNoop) }
        #expect(machine.pollArrived(hasQueued: false, now: 1) == .hold)
        #expect(machine.timePassed(now: 100) == .init(answerPollWithNoop: true))
    }

    @Test func afterAFailedUpgradeAnotherMayBeTried() {
        var machine = Situation.candidate.make()
        machine.probeEnded()
        #expect(machine.probeArrived(now: 1) == nil)
        #expect(machine.timePassed(now: 501) == .init(closeProbe: true))
        #expect(machine.probeArrived(now: 502) == nil)
    }

    @Test func aClosingSessionIsFetchedOnce() {
        var machine = Situation.closing.make()
        #expect(machine.pollArrived(hasQueued: true, now: 1) == .answerClose)
        #expect(machine.pollArrived(hasQueued: true, now: 1) == .refuse(.unknownSession))
    }
}

/// Seeded randomness.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
