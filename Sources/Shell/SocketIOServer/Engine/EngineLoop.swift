import Atomics
import NIOConcurrencyHelpers
import NIOCore

/// What one event loop keeps for the sessions and connections on it: wheel, counters, and the
/// sessions to flush at the end of the tick.
///
/// Unchecked because the compiler cannot see it: all but `published` is touched on `eventLoop`
/// only.
final class EngineLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    private let limits: ServerOptions.Limits
    private let ledger: BacklogLedger
    private let published = NIOLockedValueBox(EngineMetrics())

    let peers: PeerPool
    var metrics = EngineMetrics()
    /// Milliseconds; at most a tick old.
    private(set) var coarseNow: Int64
    /// How often this loop, or the whole process, has stood still for more than a second. Silence
    /// of a peer during such a time is no silence.
    private(set) var stallCount = 0

    /// Where small parts of one session's frames are put together.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

    private var wheel: TimerWheel
    private var repeatedTask: RepeatedTask?
    private var dirty: [ServerSession] = []
    private var flushing: [ServerSession] = []
    private var dirtyAudiences: [RoomAudience] = []
    private var flushingAudiences: [RoomAudience] = []
    private var isFlushPlanned = false
    private var backedUp: [ObjectIdentifier: ServerSession] = [:]
    private var backlog = 0
    private var connections: [ObjectIdentifier: any Channel] = [:]

    init(
        eventLoop: any EventLoop, limits: ServerOptions.Limits, tick: Int64, ledger: BacklogLedger
    ) {
        self.eventLoop = eventLoop
        self.limits = limits
        self.ledger = ledger
        peers = PeerPool(eventLoop: eventLoop)
        coarseNow = Self.clock()
        wheel = TimerWheel(tick: tick, now: coarseNow)
    }

    deinit { scratch.deallocate() }

    private static func clock() -> Int64 {
        Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }

    /// Milliseconds of the monotonic clock.
    var now: Int64 { Self.clock() }

    var nowMicroseconds: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1000) }

    func start() {
        let tick = TimeAmount.milliseconds(wheel.tick)
        repeatedTask = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in
            self.turn()
        }
    }

    func stop() {
        repeatedTask?.cancel()
        repeatedTask = nil
    }

    /// The counters as of the last tick; from any thread.
    var publishedMetrics: EngineMetrics { published.withLockedValue { $0 } }

    // MARK: Time

    func schedule(_ timed: any WheelTimed, at deadline: Int64?) {
        if let deadline { wheel.add(timed, at: deadline) }
    }

    /// What has ended is told nothing more, and let go.
    func unschedule(_ timed: any WheelTimed) { wheel.remove(timed) }

    /// Does what a late tick has not done yet, so that what arrives after a deadline is judged
    /// after it.
    func catchUp() {
        if now - coarseNow >= wheel.tick { turn() }
    }

    private func turn() {
        let now = self.now
        if now - coarseNow > wheel.tick + 1000 { stallCount += 1 }
        coarseNow = now
        for timed in wheel.advance(to: now) {
            schedule(timed, at: timed.deadlinePassed(now: now))
        }
        measureBacklog()
        for session in backedUp.values { session.checkPace(now: now) }
        published.withLockedValue { $0 = metrics }
    }

    // MARK: Flush

    /// Flushes the session at the end of this tick of the loop, once for all its messages.
    func flushLater(_ session: ServerSession) {
        dirty.append(session)
        planFlush()
    }

    /// As `flushLater`, for all that listen to a room.
    func flushLater(_ audience: RoomAudience) {
        dirtyAudiences.append(audience)
        planFlush()
    }

    private func planFlush() {
        guard !isFlushPlanned else { return }
        isFlushPlanned = true
        eventLoop.execute {
            self.isFlushPlanned = false
            swap(&self.dirty, &self.flushing)
            for session in self.flushing { session.flush() }
            self.flushing.removeAll(keepingCapacity: true)
            swap(&self.dirtyAudiences, &self.flushingAudiences)
            for audience in self.flushingAudiences { audience.flush() }
            self.flushingAudiences.removeAll(keepingCapacity: true)
        }
    }

    /// The frames in one piece, valid until the next call. They must fit into `scratch`.
    func gather(_ frames: FrameQueue) -> UnsafeRawBufferPointer {
        var count = 0
        frames.forEach { part in
            scratch[count..<count + part.count].copyBytes(from: part)
            count += part.count
        }
        return UnsafeRawBufferPointer(rebasing: scratch[..<count])
    }

    // MARK: Backlog

    func setBackedUp(_ session: ServerSession, _ isBackedUp: Bool) {
        backedUp[ObjectIdentifier(session)] = isBackedUp ? session : nil
    }

    /// Sums what waits for sessions that are backed up, and closes the worst of them while the
    /// whole process has too much.
    private func measureBacklog() {
        if backedUp.isEmpty && backlog == 0 { return }
        var sizes = backedUp.values.map { (session: $0, bytes: $0.bufferedBytes) }
        var sum = sizes.reduce(0) { $0 + $1.bytes }
        var excess = ledger.change(by: sum - backlog) - limits.maxBufferedBytes
        backlog = sum
        if excess > 0 {
            sizes.sort { $0.bytes > $1.bytes }
            for (session, bytes) in sizes where excess > 0 {
                session.close(.tooSlow)
                excess -= bytes
                sum -= bytes
            }
        }
        metrics.backloggedBytes = sum
    }

    // MARK: Connections

    func opened(_ channel: any Channel) {
        connections[ObjectIdentifier(channel)] = channel
        metrics.connections += 1
        metrics.openConnections += 1
    }

    func closed(_ channel: any Channel) {
        if connections.removeValue(forKey: ObjectIdentifier(channel)) != nil {
            metrics.openConnections -= 1
        }
    }

    var hasConnections: Bool { !connections.isEmpty }

    /// Cuts the connections that wait for a next request, and tunnels; the others close with their
    /// answer.
    func closeIdleConnections() {
        peers.close()
        for channel in connections.values {
            channel.pipeline.fireUserInboundEventTriggered(ConnectionEvent.closeIfIdle)
        }
    }

    /// Cuts every connection of this loop.
    func closeConnections() {
        for channel in connections.values { channel.close(promise: nil) }
    }
}

/// Bytes that wait for slow clients, over all loops.
final class BacklogLedger: Sendable {
    private let total = ManagedAtomic(0)

    /// Adds `difference` and returns the new total.
    func change(by difference: Int) -> Int {
        total.wrappingIncrementThenLoad(by: difference, ordering: .relaxed)
    }
}

/// Told to every handler of a connection.
enum ConnectionEvent: Sendable {
    case closeIfIdle
}
