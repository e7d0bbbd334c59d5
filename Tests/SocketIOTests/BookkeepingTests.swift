import Testing

@testable import SocketIO

@Suite("Ack registry")
struct AckRegistryTests {
    @Test("Every waiter leaves exactly once, the soonest first")
    func order() {
        var acks = AckRegistry<String>(limit: 10)
        let late = acks.register("late", deadline: .seconds(9))
        let soon = acks.register("soon", deadline: .seconds(2))
        let middle = acks.register("middle", deadline: .seconds(5))
        #expect(acks.nextDeadline == .seconds(2))
        #expect(acks.expire(now: .seconds(1)).isEmpty)
        #expect(middle.flatMap { acks.resolve($0) } == "middle")
        #expect(middle.flatMap { acks.resolve($0) } == nil)
        #expect(acks.expire(now: .seconds(6)) == ["soon"])
        #expect(soon.flatMap { acks.resolve($0) } == nil)
        #expect(acks.nextDeadline == .seconds(9))
        #expect(acks.removeAll() == ["late"])
        #expect(late.flatMap { acks.resolve($0) } == nil)
        #expect(acks.nextDeadline == nil)
    }

    @Test("Equal deadlines expire in the order of their events")
    func equalDeadlines() {
        var acks = AckRegistry<Int>(limit: 10)
        for number in 0..<5 { _ = acks.register(number, deadline: .seconds(1)) }
        #expect(acks.expire(now: .seconds(1)) == [0, 1, 2, 3, 4])
    }

    @Test("Beyond the limit nothing is taken, and room comes back")
    func limit() {
        var acks = AckRegistry<Int>(limit: 2)
        let first = acks.register(1, deadline: .seconds(1))
        #expect(acks.register(2, deadline: .seconds(1)) != nil)
        #expect(acks.register(3, deadline: .seconds(1)) == nil)
        _ = first.flatMap { acks.resolve($0) }
        #expect(acks.register(4, deadline: .seconds(1)) == 2)
    }

    @Test("It agrees with a plain model, and forgets what is resolved", arguments: 0..<10)
    func model(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var acks = AckRegistry<UInt64>(limit: 40)
        var model: [UInt64: Duration] = [:]
        var now = Duration.zero
        var next: UInt64 = 0
        for _ in 0..<3_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let deadline = now + .milliseconds(Int.random(in: 1...500, using: &random))
                let id = acks.register(next, deadline: deadline)
                #expect((id == nil) == (model.count == 40))
                if let id {
                    #expect(id == next)
                    model[id] = deadline
                    next += 1
                }
            case 2:
                let id = UInt64.random(in: 0...next, using: &random)
                #expect((acks.resolve(id) != nil) == (model.removeValue(forKey: id) != nil))
            default:
                now += .milliseconds(Int.random(in: 0...100, using: &random))
                let expired = acks.expire(now: now)
                #expect(Set(expired) == Set(model.filter { $0.value <= now }.keys))
                model = model.filter { $0.value > now }
            }
            #expect(acks.count == model.count)
        }
    }
}

@Suite("Room index")
struct RoomIndexTests {
    @Test("Both sides agree with a plain model, and nothing empty is kept", arguments: 0..<10)
    func model(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var index = RoomIndex<Int>()
        var model: Set<[Int]> = []
        for _ in 0..<3_000 {
            let member = Int.random(in: 0..<12, using: &random)
            let room = Int.random(in: 0..<8, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                #expect(index.join(member, "\(room)") == model.insert([member, room]).inserted)
            case 2, 3:
                #expect(index.leave(member, "\(room)") == (model.remove([member, room]) != nil))
            default:
                let rooms = index.remove(member)
                #expect(rooms == Set(model.filter { $0[0] == member }.map { "\($0[1])" }))
                model = model.filter { $0[0] != member }
            }
            #expect(
                index.members(of: "\(room)") == Set(model.filter { $0[1] == room }.map { $0[0] }))
            #expect(
                index.rooms(of: member) == Set(model.filter { $0[0] == member }.map { "\($0[1])" }))
            #expect(index.contains(member, in: "\(room)") == model.contains([member, room]))
            #expect(index.roomCount == Set(model.map { $0[1] }).count)
        }
    }
}
