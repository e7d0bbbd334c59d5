import Cluster
import NIOCore
import RoomService
import RoomStore
import Rooms

/// Several instances, their store, their clients and what befalls them, all from one seed.
///
/// `@unchecked Sendable`: a simulation lives on one thread.
package final class World: @unchecked Sendable {
    package struct Options: Sendable {
        package var steps = 120
        package var faults = Set(Fault.allCases)
        package var canary: Canary?
        /// Those that count.
        package var checkers = Set(Checker.allCases)
        /// Whether the history is kept in words.
        package var keepsHistory = false

        package init() {}
    }

    package struct Outcome: Sendable {
        package let seed: UInt64
        package let violations: [Violation]
        /// Of everything that happened, in order.
        package let hash: UInt64
        package let history: [String]
        package let acknowledged: Int
        package let faults: [Fault: Int]
        /// Simulated time.
        package let elapsed: Duration
    }

    static let wall: Int64 = 1_800_000_000_000

    let seed: UInt64
    let options: Options
    let scheduler = Scheduler()
    let dice: Dice
    let history: History
    let redis: SimulatedRedis
    let outside: SimulatedLoop
    let nodes: ClusterNodes
    let roomNames: [String]
    var limits = SimulatedInstance.Limits()
    private(set) var instances: [SimulatedInstance] = []
    private(set) var editors: [Editor] = []
    private(set) lazy var checkers = Checkers(self)
    /// Epochs of the rooms of a name, as far as an instance has opened them.
    private(set) var epochs: [String: [Version]] = [:]
    private var faults: [Fault: Int] = [:]
    private var wallOffset: Int64 = 0
    private var wentBack = false
    private var lastLoss: Int64 = -60_000_000_000
    private var wakes: [ObjectIdentifier: Int64] = [:]
    private var isHealing = false

    package init(seed: UInt64, options: Options = Options()) throws {
        self.seed = seed
        self.options = options
        dice = Dice(seed: seed)
        history = History(scheduler, isKept: options.keepsHistory)
        redis = SimulatedRedis(scheduler)
        outside = SimulatedLoop(scheduler)
        let count = dice.int(2...3)
        let texts = (1...count).map { "server-\($0)=10.1.0.\($0):3001=http://\($0).test" }
        nodes = try ClusterNodes(parsing: texts.joined(separator: ","))
        roomNames = (0..<dice.int(1...2)).map { "room-\($0)" }
        limits.service.room.hostGraceMilliseconds = 5_000
        // An hour that an instance starts ahead of the others counts for their rooms too.
        limits.service.emptyRoomMilliseconds = 86_400_000
        limits.service.limits.queuedOperations = 40
        limits.service.limits.heldEvents = 6
        limits.service.limits.checkpointBytes = 4_000
        limits.service.limits.logMilliseconds = 5_000
        limits.store.localBytes = 40_000
        limits.store.tailEntries = 64
        for index in nodes.nodes.indices { instances.append(makeInstance(index)) }
        editors = (0..<dice.int(2...5)).map { Editor($0, in: self, dice: dice.split()) }
    }

    // MARK: Running

    package func run() -> Outcome {
        for instance in instances { instance.start() }
        advance(.seconds(2))
        for editor in editors { editor.connectSoon(0...800) }
        advance(.seconds(1))
        for _ in 0..<options.steps where checkers.violations.isEmpty {
            if !options.faults.isEmpty, dice.chance(9) { befall() }
            for _ in 0..<dice.int(0...3) { dice.pick(editors)?.act() }
            advance(dice.chance(80) ? dice.milliseconds(1...150) : dice.milliseconds(150...900))
        }
        return end()
    }

    /// Everything is healed; then all must come right by itself.
    private func end() -> Outcome {
        isHealing = true
        history.note(.end) { "everything is healed" }
        if redis.isDown { startStore(with: redis.data) }
        if redis.loop.isFrozen { redis.loop.wake() }
        for (index, instance) in instances.enumerated() {
            if instance.hasCrashed { restart(index) } else { wake(instance) }
            mend(instances[index].line)
        }
        var remaining: [Violation] = []
        for _ in 0..<Self.patience where checkers.violations.isEmpty {
            advance(.seconds(2))
            remaining = checkers.remaining()
            if remaining.isEmpty { break }
        }
        for violation in remaining where checkers.violations.count < 20 {
            checkers.violate(violation.checker, violation.text)
        }
        dismantle()
        let acknowledged = checkers.edits.values.count { $0.isAcknowledged }
        return Outcome(
            seed: seed, violations: checkers.violations, hash: history.hash,
            history: history.lines, acknowledged: acknowledged, faults: faults,
            elapsed: scheduler.elapsed)
    }

    /// Nothing is left waiting, so that everything can be let go of.
    private func dismantle() {
        outside.end()
        for instance in instances { instance.crash() }
        redis.loop.end()
        scheduler.drain()
    }

    /// Looks, two seconds apart, after which everything must have come right: a frozen client's
    /// connection (20 s), leases (5 s), the sweep (10 s), the host's grace (8 s).
    private static let patience = 35

    private func advance(_ duration: Duration) {
        let end = scheduler.now + duration.wholeNanoseconds
        while scheduler.now < end {
            let second = (scheduler.now / 1_000_000_000 + 1) * 1_000_000_000
            scheduler.run(until: min(second, end))
            guard scheduler.now == second else { continue }
            checkers.sample()
            if second / 1_000_000_000 % 3 == 0, !redis.isDown { redis.save() }
        }
    }

    // MARK: Parts

    private func makeInstance(_ index: Int) -> SimulatedInstance {
        let parts = SimulatedInstance.Parts(
            nodes: nodes, redis: redis, dice: dice.split(), traps: Traps(options.canary),
            limits: limits, wallMilliseconds: wall(at: index),
            probe: { [unowned self] in self.probe($0) },
            witness: { [unowned self] in self.witness($0, $1, $2) })
        let instance = SimulatedInstance(nodes.nodes[index], parts)
        instance.line.onMerged = { [unowned self] in self.checkers.merged($0, first: $2) }
        instance.line.onOvertaken = { [unowned self] batch, first in
            guard let state = self.storedState(batch.room) else { return }
            self.checkers.overtaken(batch, first: first, state.scene)
        }
        instance.line.onMerge = { [unowned self] batch in
            guard let state = self.storedState(batch.room),
                state.control.epoch == batch.epoch, state.version == batch.expected
            else { return }
            self.checkers.merges(batch, into: state)
        }
        return instance
    }

    private func wall(at index: Int) -> Int64 {
        let behind = options.canary == .backwards ? Int64(index) * 3_600_000 : 0
        return Self.wall + scheduler.now / 1_000_000 + wallOffset - behind
    }

    private func witness(
        _ instance: SimulatedInstance, _ change: RoomChange, _ state: RoomState
    ) {
        guard !instance.hasCrashed else { return }
        let control = state.control
        if epochs[control.id]?.contains(control.epoch) != true {
            epochs[control.id, default: []].append(control.epoch)
        }
        checkers.changed(instance, change, state)
    }

    private func probe(_ node: ClusterNode) -> EventLoopFuture<ProbeResult> {
        let asking = scheduler.asking ?? outside
        return asking.scheduleTask(in: .milliseconds(5)) { () -> ProbeResult in
            guard let peer = self.instances.first(where: { $0.id == node.id }),
                !peer.hasCrashed
            else { return .refused }
            if peer.loop.isFrozen { return .silent }
            return .alive(
                incarnation: peer.identity.value, isReady: peer.isReady, isDraining: false,
                isLinked: peer.cluster.standing == .linked)
        }.futureResult
    }

    /// Where a client's connection ends up; nil where it is refused.
    func instanceForClient(_ dice: Dice) -> SimulatedInstance? {
        guard let instance = dice.pick(instances), !instance.hasCrashed, instance.isReady,
            !instance.loop.isFrozen
        else { return nil }
        return instance
    }

    func storedState(_ room: String) -> RoomState? {
        guard let stored = redis.base.contents.load(room) else { return nil }
        var state = RoomState(id: room, epoch: stored.epoch)
        if let checkpoint = stored.checkpoint,
            let kept = try? RoomState(checkpoint: checkpoint[...])
        {
            state = kept
        }
        for entry in stored.entries { state.fold(entry, limits: limits.service.room) }
        return state
    }

    /// Whether it stands still, or did some seconds ago.
    func hasBeenFrozen(_ instance: SimulatedInstance) -> Bool {
        instance.loop.isFrozen
            || wakes[ObjectIdentifier(instance)].map { scheduler.now - $0 < 6_000_000_000 } ?? false
    }

    /// Whether the wall clock went back, and nobody is left who can know how far the clock was of
    /// the instance that sent the editor its last scene: instances tell it with their leases.
    func couldNotKnow(_ editor: Editor) -> Bool {
        guard wentBack, let sender = editor.sceneSender else { return false }
        let told = redis.renewals[sender.id] ?? 0
        let isCutOff = editor.sceneCameAt - told > 2_000_000_000
        let moment = isCutOff ? told : editor.sceneCameAt
        // It may have come back since, and the others have not yet heard of it.
        let isOut = isCutOff && scheduler.now - editor.sceneCameAt < 3_000_000_000
        return instances.allSatisfy {
            $0.hasCrashed || $0.loop.isFrozen || $0.startedAt > moment
                || (isOut && $0 === sender && $0 !== editor.instance)
        }
    }

    /// Whether its way to the store takes long, or did some seconds ago.
    func hasBeenSlow(_ instance: SimulatedInstance) -> Bool {
        scheduler.now - instance.line.slowUntil < 6_000_000_000
    }

    // MARK: Faults

    private func befall() {
        let possible = options.faults.sorted()
            .flatMap { Array(repeating: $0, count: $0.weight) }
        guard let fault = dice.pick(possible) else { return }
        let index = dice.int(0...instances.count - 1)
        guard befall(fault, on: index) else { return }
        faults[fault, default: 0] += 1
    }

    private func say(_ text: String) { history.note(.fault) { text } }

    /// False if it cannot happen now.
    private func befall(_ fault: Fault, on index: Int) -> Bool {
        let instance = instances[index]
        switch fault {
        case .crash, .freeze, .delay, .drop, .duplicate, .partition, .lostreply:
            guard !instance.hasCrashed, !instance.loop.isFrozen else { return false }
            befall(fault, instance, index)
        case .restart, .rollback, .wipe, .hang: return befallStore(fault)
        case .clock:
            let offset = dice.pick([-3_600_000, 0, 3_600_000, 60_000] as [Int64]) ?? 0
            wentBack = wentBack || offset < wallOffset
            wallOffset = offset
            say("the wall clock jumps to \(wallOffset) ms")
        case .disconnect, .silence:
            guard let editor = dice.pick(editors), editor.session != nil else { return false }
            say("editor \(editor.number)'s connection breaks (\(fault))")
            let limit = fault == .silence ? 20_000 : 30
            editor.drop(noticedAfter: dice.milliseconds(1...limit))
        }
        return true
    }

    private func befall(_ fault: Fault, _ instance: SimulatedInstance, _ index: Int) {
        let line = instance.line
        switch fault {
        case .crash:
            say("\(instance.id) crashes")
            instance.crash()
            checkers.ended(instance)
            checkers.excuseLosses()
            later(500...8_000) { if self.instances[index].hasCrashed { self.restart(index) } }
        case .freeze:
            let time = dice.milliseconds(dice.chance(50) ? 200...4_000 : 4_000...20_000)
            say("\(instance.id) freezes for \(time)")
            instance.loop.freeze()
            for editor in editors where editor.instance === instance {
                giveUp(editor, on: instance)
            }
            outside.after(time) { self.wake(instance) }
        case .partition:
            say("\(instance.id) is cut off from the store")
            line.cut()
            later(200...12_000) { line.heal() }
        case .delay:
            say("\(instance.id)'s way to the store is slow")
            line.slowness = dice.milliseconds(20...500)
            line.slowUntil = Int64.max / 2
            later(1_000...10_000) { line.isFast() }
        case .drop:
            say("\(instance.id) loses notices")
            line.lost = dice.int(10...80)
            later(1_000...10_000) { line.lost = 0 }
        case .duplicate:
            say("\(instance.id) gets notices twice")
            line.doubled = dice.int(10...80)
            later(1_000...10_000) { line.doubled = 0 }
        case .lostreply:
            say("\(instance.id) will lose a reply")
            line.losesNextReply = true
        default: break
        }
    }

    private func befallStore(_ fault: Fault) -> Bool {
        guard !redis.isDown, !redis.loop.isFrozen else { return false }
        if fault == .hang {
            say("the store hangs")
            redis.loop.freeze()
            for instance in instances { instance.line.storeHangs() }
            later(500...8_000) { if self.redis.loop.isFrozen { self.redis.loop.wake() } }
            return true
        }
        if fault != .restart {
            guard scheduler.now - lastLoss > 15_000_000_000 else { return false }
            lastLoss = scheduler.now
        }
        var data = redis.data
        switch fault {
        case .rollback: data = dice.pick(redis.saved) ?? data
        case .wipe: data = SimulatedRedis.Data(rooms: MemoryRooms(), leases: [:])
        default: break
        }
        say("the store ends (\(fault))")
        redis.stop()
        for instance in instances where !instance.hasCrashed {
            instance.loop.after(dice.milliseconds(0...50)) { instance.line.disconnect("refused") }
        }
        later(100...5_000) { if self.redis.isDown { self.startStore(with: data) } }
        // What went to it until now may be on its disk; after that it is lost with certainty.
        if fault == .restart { return true }
        redis.start(with: data)
        redis.stop()
        checkers.excuseLosses()
        return true
    }

    private func startStore(with data: SimulatedRedis.Data) {
        say("the store is back")
        redis.start(with: data)
    }

    private func later(_ range: ClosedRange<Int>, _ work: @escaping () -> Void) {
        outside.after(dice.milliseconds(range), work)
    }

    private func restart(_ index: Int) {
        say("\(instances[index].id) starts")
        instances[index] = makeInstance(index)
        instances[index].start()
    }

    private func wake(_ instance: SimulatedInstance) {
        guard instance.loop.isFrozen, !instance.hasCrashed else { return }
        say("\(instance.id) wakes")
        wakes[ObjectIdentifier(instance)] = scheduler.now
        instance.loop.wake()
    }

    private func mend(_ line: StoreLine) {
        line.heal()
        line.isFast()
        line.lost = 0
        line.doubled = 0
        line.losesNextReply = false
    }

    /// A client of a frozen instance hears no ping any more.
    private func giveUp(_ editor: Editor, on instance: SimulatedInstance) {
        let session = editor.session
        outside.after(dice.milliseconds(8_000...15_000)) {
            guard editor.session === session, instance.loop.isFrozen else { return }
            editor.drop(noticedAfter: .milliseconds(1))
        }
    }
}
