import Foundation
import NIOCore
import Rooms
import Testing

@testable import RoomStore

/// Two instances that go on without the store, with what a seed makes of it: which of them is cut
/// off, what happens on either side, whether the store keeps its data, who comes back first.
@Suite("Two sides of an outage")
struct TwoSidesTests {
    @Test(
        "come to one truth in which the later change of each object stands",
        arguments: 1...TwoSidesHistory.seeds)
    func oneTruth(seed: UInt64) async throws {
        let history = try await TwoSidesHistory(seed: seed)
        for _ in 0..<4 { try await history.outage() }
        try await history.ends()
    }
}

/// One history. Every change is acknowledged before the next, so that its version tells which of
/// two came later.
final class TwoSidesHistory {
    private enum Outcome: Hashable {
        case value(String)
        case removed
    }

    private struct Side {
        let instance: Instance
        let replica: Replica
        var isCut = false
        /// Times that its connection became a new one.
        var heals = 0
        var snapshots = 0
        var lastVersion: Version = 0
        var members: Set<String> = []
    }

    private let seed: UInt64
    private var random: RandomFaultTests.Random
    private let shared = MemoryRoomStore.sharedByAll()
    private var sides: [Side] = []
    /// What each object must be in the end: the latest of all changes of it.
    private var latest: [String: (version: Version, outcomes: Set<Outcome>)] = [:]
    /// What the store had at some time.
    private var copies: [MemoryRooms] = []
    private var number = 0
    /// An upload that the other side has gone beyond before it is cut off itself counts, once merged,
    /// as made then: that is a known weak point, and not what is tested here.
    private var mayUpload = true
    private var story: [String] = []

    /// `TWO_SIDES_SEEDS` for a longer run.
    static let seeds: UInt64 =
        ProcessInfo.processInfo.environment["TWO_SIDES_SEEDS"].flatMap { UInt64($0) } ?? 60

    private static let objects = (0..<6).map { "o\($0)" }

    init(seed: UInt64) async throws {
        self.seed = seed
        random = RandomFaultTests.Random(seed: seed)
        for name in ["one", "two"] {
            let instance = Instance(name, over: shared)
            sides.append(Side(instance: instance, replica: instance.replica()))
        }
        try await sides[0].replica.create(editor: try Fixture.upload())
        try await sides[1].replica.open()
    }

    private var told: Comment { "seed \(seed): \(story.joined(separator: ", "))" }

    // MARK: What happens

    /// Some work together, an outage of one side or both, the return, and what must hold then.
    func outage() async throws {
        try await work(Int.random(in: 0..<6, using: &random))
        copies.append(shared.contents)
        try await work(Int.random(in: 0..<4, using: &random))
        let order = sides.indices.shuffled(using: &random)
        let lost = chance(2) ? order : Array(order.prefix(1))
        for index in lost {
            cut(index)
            mayUpload = index == lost.last
            try await work(Int.random(in: 0..<5, using: &random))
        }
        mayUpload = true
        try await work(Int.random(in: 0..<8, using: &random))
        switch Int.random(in: 0..<4, using: &random) {
        case 0: restart("wiped") { shared.loseEverything() }
        case 1:
            let copy = copies.randomElement(using: &random) ?? shared.contents
            restart("rolled back") { shared.contents = copy }
        default: break
        }
        for index in sides.indices.shuffled(using: &random) where sides[index].isCut {
            heal(index)
            if chance(2) { try await work(Int.random(in: 0..<4, using: &random)) }
        }
        try await agree()
    }

    func ends() async throws {
        for index in sides.indices { try await change(index, to: "end\(index)", "end") }
        try await agree()
    }

    private func chance(_ of: Int) -> Bool { Int.random(in: 0..<of, using: &random) == 0 }

    private func cut(_ index: Int) {
        story.append("cut \(index)")
        sides[index].isCut = true
        sides[index].instance.cut()
    }

    private func heal(_ index: Int) {
        story.append("heal \(index)")
        sides[index].isCut = false
        sides[index].heals += 1
        sides[index].instance.heal()
    }

    /// Those who have a line to the store notice.
    private func restart(_ how: String, _ change: () -> Void) {
        story.append(how)
        let connected = sides.indices.filter { !sides[$0].isCut }
        for index in connected { sides[index].instance.cut() }
        change()
        for index in connected { heal(index) }
    }

    private func work(_ steps: Int) async throws {
        for _ in 0..<steps {
            let index = Int.random(in: 0..<2, using: &random)
            let object = Self.objects.randomElement(using: &random) ?? "o0"
            number += 1
            switch Int.random(in: 0..<12, using: &random) {
            case 0...5: try await change(index, to: object, "v\(number)")
            case 6...7: try await remove(index, object)
            case 8: if mayUpload { try await upload(index) }
            case 9...10: try await join(index)
            default: try await leave(index)
            }
        }
    }

    // MARK: Changes

    private func commit(_ index: Int, _ change: RoomEntry.Change) async throws -> Version {
        let outcome = try await sides[index].replica.commit(change)
        guard case .committed(_, let version, _) = outcome else {
            Issue.record("\(outcome) in \(told)")
            return 0
        }
        let before = sides[index].lastVersion
        #expect(version > before, "versions rise; \(told)")
        sides[index].lastVersion = version
        return version
    }

    private func note(_ object: String, _ version: Version, _ outcome: Outcome) {
        let before = latest[object]?.version ?? 0
        // Two sides may have given one number.
        if version == before { latest[object]?.outcomes.insert(outcome) }
        if version > before { latest[object] = (version, [outcome]) }
    }

    private func change(_ index: Int, to object: String, _ value: String) async throws {
        let version = try await commit(index, Fixture.update(object, value))
        story.append("\(index) sets \(object)=\(value) @\(version % 100_000_000)")
        note(object, version, .value(value))
    }

    private func remove(_ index: Int, _ object: String) async throws {
        let version = try await commit(index, .edited(.objectRemoval(uuid: object), by: "anna"))
        story.append("\(index) removes \(object) @\(version % 100_000_000)")
        note(object, version, .removed)
    }

    /// A full scene with some of the objects.
    private func upload(_ index: Int) async throws {
        let kept = Self.objects.filter { _ in chance(2) }
        let value = "u\(number)"
        let children = kept.map { #"{"uuid":"\#($0)","type":"Mesh","name":"\#(value)"}"# }
        let upload = try Fixture.upload(children.joined(separator: ","))
        let version = try await commit(index, .uploaded(upload, by: "anna"))
        story.append("\(index) uploads \(kept) @\(version % 100_000_000)")
        for object in Set(Self.objects).union(latest.keys) {
            note(object, version, kept.contains(object) ? .value(value) : .removed)
        }
    }

    private func join(_ index: Int) async throws {
        let member = Fixture.member("m\(number)", of: sides[index].instance.name)
        _ = try await commit(index, .joined(member, replacing: nil, takesHost: false))
        story.append("\(index) gets \(member.id)")
        sides[index].members.insert(member.id)
    }

    private func leave(_ index: Int) async throws {
        guard let member = sides[index].members.min() else { return }
        _ = try await commit(index, .left(memberID: member, cause: .left))
        story.append("\(index) loses \(member)")
        sides[index].members.remove(member)
    }

    // MARK: What must hold

    private func agree() async throws {
        for side in sides { try await side.instance.isDurable() }
        // Whoever is still behind hears of it with the next entry.
        for index in sides.indices {
            _ = try await commit(index, .renamed(memberID: "nobody", name: "\(number)"))
        }
        let stored = try #require(try await shared.stored())
        let state = try stored.state()
        for index in sides.indices {
            let replica = sides[index].replica
            try await eventually("\(replica.origin) is at the head; \(told)") {
                try await replica.version == stored.head
            }
            let view = try await replica.view()
            let isSame = view.state?.checkpoint() == state.checkpoint()
            #expect(isSame, "\(difference(view.state, state)) at \(replica.origin); \(told)")
            #expect(!view.hasGoneBack, "\(replica.origin) saw a version fall; \(told)")
            #expect(Set(view.delivered).count == view.delivered.count, "told twice; \(told)")
            let fresh = view.snapshots - sides[index].snapshots
            #expect(fresh <= sides[index].heals, "\(fresh) fresh scenes; \(told)")
            sides[index].snapshots = view.snapshots
            sides[index].heals = 0
        }
        let names = Self.names(in: try #require(state.scene.editorData()).text)
        for (object, last) in latest {
            let found = names[object].map { Outcome.value($0) } ?? .removed
            #expect(last.outcomes.contains(found), "\(object) @\(last.version); \(told)")
        }
        let members = sides.reduce(into: ["anna"] as Set) { $0.formUnion($1.members) }
        #expect(Set(state.control.members.keys) == members, told)
    }

    private func difference(_ one: RoomState?, _ other: RoomState) -> String {
        guard let one else { return "no room" }
        let heads = [one, other].map { state in
            String(decoding: state.checkpoint().dropFirst(18).prefix(1_500), as: UTF8.self)
                .prefix { $0 != "\n" && $0 != "\0" }.suffix(700)
        }
        let (left, right) = (one.scene, other.scene)
        let texts = [left, right].map { Self.names(in: $0.editorData()?.text ?? "") }
        let versions = [left, right].map { scene in
            Self.objects.map { "\($0)@\((scene.lastModified(of: $0) ?? 0) % 100_000_000)" }
        }
        let counts = "\(left.checkpoint().count) \(right.checkpoint().count)"
        return "\(heads) \(texts) \(versions) \(left.version) \(right.version) \(counts)"
    }

    /// The name of each object in a scene.
    private static func names(in text: String) -> [String: String] {
        var names: [String: String] = [:]
        for object in text.split(separator: "{") {
            let fields = object.split(separator: "\"")
            if let uuid = fields.firstIndex(of: "uuid"), let name = fields.firstIndex(of: "name"),
                uuid + 2 < fields.count, name + 2 < fields.count
            {
                names[String(fields[uuid + 2])] = String(fields[name + 2])
            }
        }
        return names
    }
}
