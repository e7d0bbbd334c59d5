/// Something that wants to be told when its time has come.
protocol WheelTimed: AnyObject {
    /// The deadline for which the object lies in the wheel; kept by the wheel.
    var wheelDeadline: Int64? { get set }

    /// The deadline has passed. Returns the next one, or nil to leave the wheel.
    func deadlinePassed(now: Int64) -> Int64?
}

/// The deadlines of all connections of one loop: one timer for all, not one for each.
///
/// Times are milliseconds. A deadline fires up to one tick late and never early. Cost: constant
/// to add, and a visit each turn of the wheel for those further away than a turn.
struct TimerWheel {
    private struct Entry {
        let timed: any WheelTimed
        let deadline: Int64
    }

    private static let slotCount: Int64 = 256
    let tick: Int64
    private var slots: [[Entry]]
    private var position: Int64

    init(tick: Int64, now: Int64) {
        self.tick = max(1, tick)
        slots = Array(repeating: [], count: Int(Self.slotCount))
        position = now / self.tick
    }

    /// Sees to it that the object is told at `deadline`, or before if it already would be.
    mutating func add(_ timed: any WheelTimed, at deadline: Int64) {
        if let planned = timed.wheelDeadline, planned <= deadline { return }
        timed.wheelDeadline = deadline
        insert(Entry(timed: timed, deadline: deadline))
    }

    /// Lets go of the object, which has ended, before its time: a dead connection is not kept until
    /// the deadline of a living one. One that lies further away than a turn goes when its slot comes.
    mutating func remove(_ timed: any WheelTimed) {
        guard let deadline = timed.wheelDeadline else { return }
        timed.wheelDeadline = nil
        let slot = Int(dueTick(of: deadline) % Self.slotCount)
        guard let index = slots[slot].lastIndex(where: { $0.timed === timed }) else { return }
        slots[slot].swapAt(index, slots[slot].count - 1)
        slots[slot].removeLast()
    }

    /// Rounded up: a slot is visited when its tick is over.
    private func dueTick(of deadline: Int64) -> Int64 { (deadline + tick - 1) / tick }

    private mutating func insert(_ entry: Entry) {
        let due = max(dueTick(of: entry.deadline), position + 1)
        let slot = min(due, position + Self.slotCount - 1) % Self.slotCount
        slots[Int(slot)].append(entry)
    }

    /// Takes out those whose deadline has passed.
    mutating func advance(to now: Int64) -> [any WheelTimed] {
        let target = now / tick
        guard target > position else { return [] }
        var due: [any WheelTimed] = []
        var later: [Entry] = []
        for step in 1...min(target - position, Self.slotCount) {
            let slot = Int((position + step) % Self.slotCount)
            if slots[slot].isEmpty { continue }
            for entry in slots[slot] where entry.timed.wheelDeadline == entry.deadline {
                if entry.deadline <= now {
                    entry.timed.wheelDeadline = nil
                    due.append(entry.timed)
                } else {
                    later.append(entry)
                }
            }
            slots[slot].removeAll(keepingCapacity: slots[slot].count < 64)
        }
        position = target
        for entry in later { insert(entry) }
        return due
    }
}
