import NIOConcurrencyHelpers
import NIOCore
import Rooms
import Testing

@testable import RoomStore

/// Three instances, a store that loses data, lines that fail, all as a seed decides.
@Suite("Fallback stores under random faults", .serialized)
struct RandomFaultTests {
    /// SplitMix64.
    struct Random: RandomNumberGenerator {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = state
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private enum Step {
        case cut
        case heal
        case loseReplies
        case rememberContents
        case loseEverything
        case loseTheLatest
        case wait
        case edit

        /// Of forty steps some are faults, the others edits.
        init(_ number: Int) {
            switch number {
            case 0: self = .cut
            case 1...4: self = .heal
            case 5: self = .loseReplies
            case 6: self = .rememberContents
            case 7: self = .loseEverything
            case 8: self = .loseTheLatest
            case 9: self = .wait
            default: self = .edit
            }
        }
    }

    @Test("lose nothing that was acknowledged, and come to one truth", arguments: 1...40)
    func convergence(seed: UInt64) async throws {
        var random = Random(seed: seed)
        let shared = MemoryRoomStore.sharedByAll()
        let instances = ["one", "two", "three"].map { Instance($0, over: shared) }
        let replicas = instances.map { $0.replica() }
        try await replicas[0].create()
        for replica in replicas.dropFirst() { try await replica.open() }
        let acknowledged = NIOLockedValueBox<Set<String>>([])
        var edits: [Task<Void, any Error>] = []
        var older = [shared.contents]
        for number in 0..<120 {
            let index = Int.random(in: 0..<3, using: &random)
            switch Step(Int.random(in: 0..<40, using: &random)) {
            case .cut: instances[index].cut()
            case .heal: instances[index].heal()
            case .loseReplies: instances[index].line.line = .losesReplies
            case .rememberContents: older.append(shared.contents)
            case .loseEverything: restart(instances) { shared.loseEverything() }
            case .loseTheLatest:
                let past = older.randomElement(using: &random)
                restart(instances) { if let past { shared.contents = past } }
            case .wait: try await Task.sleep(for: .milliseconds(3))
            case .edit:
                let replica = replicas[index]
                edits.append(
                    Task {
                        guard try await replica.edit("o\(number)", "x").isDurable != nil else {
                            return
                        }
                        acknowledged.withLockedValue { _ = $0.insert("o\(number)") }
                    })
            }
        }
        for instance in instances { instance.heal() }
        for edit in edits { try await edit.value }
        for instance in instances { instance.store.connectionIsNew() }
        for instance in instances { try await instance.isDurable() }
        // Whoever is still behind hears of it with the next entry.
        for (index, replica) in replicas.enumerated() { try await replica.edit("end\(index)", "x") }

        let stored = try #require(try await shared.stored())
        let state = try stored.state()
        let lost = acknowledged.withLockedValue { $0 }.filter { !state.scene.contains($0) }
        #expect(lost.isEmpty, "seed \(seed): lost \(lost)")
        #expect(acknowledged.withLockedValue { $0.count } == edits.count, "seed \(seed)")
        for replica in replicas {
            try await eventually("\(replica.origin) is at the head (seed \(seed))") {
                try await replica.version == stored.head
            }
            let view = try await replica.view()
            let isSame = view.state?.checkpoint() == state.checkpoint()
            #expect(isSame, "seed \(seed): \(replica.origin) has another room")
            let hasGoneBack = view.hasGoneBack
            #expect(!hasGoneBack, "seed \(seed): \(replica.origin) saw a version fall")
        }
    }

    /// The store ends and comes back with other data; those with a line to it notice.
    private func restart(_ instances: [Instance], _ change: () -> Void) {
        let connected = instances.filter { $0.line.line != .cut }
        for instance in connected { instance.cut() }
        change()
        for instance in connected { instance.heal() }
    }
}
