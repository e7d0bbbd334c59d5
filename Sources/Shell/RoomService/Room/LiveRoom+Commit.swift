import NIOCore
import RoomStore
import Rooms

extension LiveRoom {
    /// A commit on its way to the store.
    struct InFlight {
        var batch: [Pending]
        var results: [OperationResult?]
        var entries: [RoomEntry]
        /// For each operation, how many entries it and those before it have.
        var entryEnds: [Int]
        var isDeletion: Bool
        /// The version that must have been folded before operations are answered.
        var lastVersion: Version?
        /// Ids of edits over which their author has been sent a scene meanwhile.
        var overtaken: Set<String> = []
    }

    /// Starts the next commit at the end of the tick: what comes at once is one commit.
    func pumpLater() {
        guard inFlight == nil, !isPumpPlanned else { return }
        isPumpPlanned = true
        eventLoop.execute {
            self.isPumpPlanned = false
            self.pump()
        }
    }

    /// Starts the next commit, if none is in flight.
    func pump() {
        guard inFlight == nil, reloading == nil, !queue.isEmpty, !isGone else { return }
        let (flight, conditional, draft) = draftBatch()
        queue.removeFirst(flight.batch.count)
        editsFirst = .max
        guard !flight.entries.isEmpty else {
            finish(flight)
            return pump()
        }
        inFlight = flight
        let batch = CommitBatch(
            room: id, epoch: control.epoch, origin: incarnation, entries: flight.entries,
            proposed: environment.clock.next(), expected: state.version,
            conditional: conditional, summary: RoomSummary(draft))
        let future =
            flight.isDeletion ? environment.store.delete(batch) : environment.store.commit(batch)
        future.hop(to: eventLoop).whenComplete { self.commitEnded($0) }
    }

    /// Decides as much of the queue as fits a batch, on a draft of the control state.
    private func draftBatch() -> (InFlight, conditional: Bool, draft: RoomControl) {
        let limits = environment.options.limits
        var draft = control
        var flight = InFlight(
            batch: [], results: [], entries: [], entryEnds: [], isDeletion: false)
        var conditional = false
        var bytes = 0
        let stamp = max(environment.clock.last, state.version)
        for pending in queue.operations.prefix(min(limits.batchOperations, editsFirst)) {
            let size = pending.operation.approximateBytes
            if !flight.batch.isEmpty, bytes + size > limits.batchBytes { break }
            let decision = draft.decide(pending.operation, limits: environment.options.room)
            if case .commit(let changes, _) = decision, changes.isDeletion, !flight.entries.isEmpty
            {
                break
            }
            bytes += size
            flight.batch.append(pending)
            flight.results.append(decision.immediateResult)
            if case .commit(let changes, let isConditional) = decision {
                conditional = conditional || isConditional
                for (index, change) in changes.enumerated() {
                    // Numbered within the operation: the same again when it is decided again.
                    let entry = RoomEntry(id: "\(pending.id).\(index)", change: change)
                    flight.entries.append(entry)
                    let version = max(stamp, draft.version) + 1
                    draft.fold(
                        VersionedEntry(version: version, previous: draft.version, entry: entry),
                        limits: environment.options.room)
                }
                flight.isDeletion = changes.isDeletion
            }
            flight.entryEnds.append(flight.entries.count)
            if flight.isDeletion { break }
        }
        return (flight, conditional, draft)
    }

    private func commitEnded(_ result: Result<CommitOutcome, any Error>) {
        guard !isGone, let flight = inFlight else { return }
        switch result {
        case .success(.committed(let previous, let first, let durable)):
            committed(flight, previous: previous, first: first, durable: durable)
        case .success(.conflict(let head)):
            environment.metrics.count(\.conflicts)
            retry(flight, heardOf: head)
        case .success(.noRoom):
            end(announcing: environment.messages.roomEnded, deletedBy: nil)
        case .success(.fenced): foundFenced()
        case .failure(let error):
            environment.metrics.count(\.storeFailures)
            environment.logger.debug(
                "commit failed", metadata: ["room": "\(id)", "error": "\(error)"])
            if case RoomStoreError.refusesWrites = error {
                refused(flight)
            } else {
                fail(flight, .storageUnavailable)
            }
        }
    }

    /// The store takes no more. What says who is here still has room there: only what changes the
    /// scene is refused.
    private func refused(_ flight: InFlight) {
        let isScene = flight.batch.map(\.operation.changesScene)
        guard isScene.contains(true), isScene.contains(false) else {
            return fail(flight, .storageUnavailable)
        }
        inFlight = nil
        queue.putBack(zip(flight.batch, isScene).filter { !$0.1 }.map(\.0))
        for (index, pending) in flight.batch.enumerated() where isScene[index] {
            pending.complete(flight.results[index] ?? .failed(.storageUnavailable))
        }
        pump()
    }

    private func committed(
        _ flight: InFlight, previous: Version, first: Version, durable: Bool
    ) {
        environment.metrics.count(\.commits)
        environment.metrics.count(\.committedEntries, by: flight.entries.count)
        if !durable { environment.metrics.count(\.localEntries, by: flight.entries.count) }
        if flight.isDeletion {
            inFlight = nil
            endDeleted(flight.entries.last)
            return finish(flight, deleted: true)
        }
        var before = previous
        let entries = flight.entries.enumerated().map { index, entry in
            let version = first + Version(index)
            defer { before = version }
            return VersionedEntry(version: version, previous: before, entry: entry)
        }
        var flight = flight
        flight.lastVersion = before
        for index in flight.batch.indices where flight.results[index] == nil {
            let end = flight.entryEnds[index]
            flight.results[index] = .committed(version: entries[end - 1].version)
        }
        flight.overtaken = overtakenEdits(of: flight)
        inFlight = flight
        logBytesSinceCheckpoint += flight.batch.reduce(0) { $0 + $1.operation.approximateBytes }
        apply(sequencer.receive(entries))
        fillGap()
    }

    /// Where the store is slow a scene may have been sent and applied between an edit and its commit.
    private func overtakenEdits(of flight: InFlight) -> Set<String> {
        var overtaken: Set<String> = []
        for (index, pending) in flight.batch.enumerated() {
            guard case .edit(_, let author) = pending.operation, let mark = pending.mark,
                links[author]?.hasAppliedScene(since: mark) == true
            else { continue }
            let start = index == 0 ? 0 : flight.entryEnds[index - 1]
            overtaken.formUnion(flight.entries[start..<flight.entryEnds[index]].map(\.id))
        }
        return overtaken
    }

    /// Answers the commit in flight once everything up to it has been folded.
    func answerCommitted() {
        guard let flight = inFlight, let last = flight.lastVersion, sequencer.applied >= last
        else { return }
        inFlight = nil
        finish(flight)
        saveCheckpointIfDue()
        pump()
    }

    private func finish(_ flight: InFlight, deleted: Bool = false) {
        for (pending, result) in zip(flight.batch, flight.results) {
            if case .refused = result { environment.metrics.count(\.refusals) }
            pending.complete(result ?? (deleted ? .committed(version: state.version) : .unchanged))
        }
    }

    private func retry(_ flight: InFlight, heardOf head: Version) {
        inFlight = nil
        let tried = flight.batch.map { pending in
            var pending = pending
            pending.attempts += 1
            return pending
        }
        let left = tried.filter { $0.attempts <= Self.maxAttempts }
        let edits = left.filter(\.operation.isEdit)
        if !edits.isEmpty, left.allSatisfy({ $0.operation.isEdit || $0.operation.isMembership }) {
            // Edits need not wait until those who come and go win against other instances.
            editsFirst = edits.count
            queue.putBack(edits + left.filter(\.operation.isMembership))
        } else {
            queue.putBack(left)
        }
        sequencer.heard(of: head)
        for pending in tried where pending.attempts > Self.maxAttempts {
            pending.complete(.failed(.storageUnavailable))
        }
        if sequencer.hasGap { fillGap() } else { pump() }
    }

    /// Times that one operation is decided anew because others were faster.
    private static let maxAttempts = 100

    private func fail(_ flight: InFlight, _ code: ErrorCode) {
        inFlight = nil
        for (pending, result) in zip(flight.batch, flight.results) {
            if case .refused? = result {
                pending.complete(result ?? .failed(code))
            } else {
                pending.complete(.failed(code))
            }
        }
        pump()
    }

    // MARK: Following the log

    /// Reads from the log what is missing.
    func fillGap() {
        guard sequencer.hasGap, !isReading, reloading == nil, !isGone else { return }
        isReading = true
        environment.metrics.count(\.gapReads)
        environment.store.read(id, epoch: control.epoch, after: sequencer.applied)
            .hop(to: eventLoop).whenComplete { self.readEnded($0) }
    }

    private func readEnded(_ result: Result<LogRead, any Error>) {
        isReading = false
        guard !isGone else { return }
        switch result {
        case .success(.entries(let entries)):
            let ready = sequencer.receive(entries)
            apply(ready)
            guard ready.isEmpty, sequencer.hasGap else {
                vainReads = 0
                fillGap()
                return pump()
            }
            vainReads += 1
            if vainReads < Self.vainReadLimit { reloadLater() } else { giveUpGap() }
        case .success(.trimmed): reload()
        case .success(.noRoom): end(announcing: environment.messages.roomEnded, deletedBy: nil)
        case .failure: reloadLater()
        }
    }

    /// The log does not have what was heard of: a store that lost its last entries. The copy is
    /// what there is.
    private func giveUpGap() {
        vainReads = 0
        sequencer.restart(at: sequencer.applied)
        if let flight = inFlight, flight.lastVersion != nil {
            fail(flight, .storageUnavailable)
        }
        pump()
    }

    /// Reads that find nothing of a gap, 100 ms apart, before it is given up.
    private static let vainReadLimit = 20

    private func reloadLater() {
        eventLoop.scheduleTask(in: .milliseconds(100)) {
            guard !self.isGone else { return }
            self.fillGap()
            self.pump()
        }
    }

    // MARK: Reloading

    /// A load of the stored room on its way.
    struct Reload {
        /// The copy here grew from something else than what is stored now.
        let isReplaced: Bool
        /// The stored room was replaced since the load began.
        var mustRepeat = false
    }

    /// Takes the stored room in place of the own copy, if it is ahead or `isReplaced`; members get
    /// a fresh scene.
    func reload(isReplaced: Bool = false) {
        guard !isGone else { return }
        guard reloading == nil else {
            if isReplaced { reloading?.mustRepeat = true }
            return
        }
        reloading = Reload(isReplaced: isReplaced)
        environment.store.load(id).hop(to: eventLoop).whenComplete { self.reloadEnded($0) }
    }

    private func reloadEnded(_ result: Result<StoredRoom?, any Error>) {
        guard !isGone, let reload = reloading else { return }
        reloading = nil
        switch result {
        case .success where reload.mustRepeat: self.reload(isReplaced: true)
        case .success(let stored?): take(stored, isReplaced: reload.isReplaced)
        case .success(nil): end(announcing: environment.messages.roomEnded, deletedBy: nil)
        case .failure:
            let isReplaced = reload.isReplaced || reload.mustRepeat
            eventLoop.scheduleTask(in: .milliseconds(200)) { self.reload(isReplaced: isReplaced) }
        }
    }

    func take(_ stored: StoredRoom, isReplaced: Bool) {
        guard stored.epoch == control.epoch else {
            return end(announcing: environment.messages.roomEnded, deletedBy: nil)
        }
        // Entries may have come while this was being read: the copy never goes back.
        if isReplaced || stored.head > state.version {
            guard let fresh = try? RoomState(stored: stored, id: id) else {
                return end(announcing: environment.messages.roomEnded, deletedBy: nil)
            }
            // What was heard of or committed meanwhile is still to come.
            let known = max(sequencer.heardOf, inFlight?.lastVersion ?? 0)
            replaceState(fresh)
            sequencer.heard(of: known)
        }
        answerCommitted()
        fillGap()
        pump()
    }

    // MARK: Checkpoints

    func saveCheckpointIfDue() {
        let limits = environment.options.limits
        let due = max(limits.checkpointBytes, state.scene.approximateByteCount)
        guard logBytesSinceCheckpoint >= due, !isCheckpointing else { return }
        isCheckpointing = true
        logBytesSinceCheckpoint = 0
        let kept = limits.logMilliseconds * VersionClock.unitsPerMillisecond
        let trimBefore = state.version > kept ? state.version - kept : 0
        let line = replacements
        environment.heavy(state.scene.approximateByteCount, answerOn: eventLoop) { [state] in
            RoomCheckpoint(of: state)
        }.flatMap { [environment, id, eventLoop] checkpoint in
            // In another line of entries than the copy's it would be wrong.
            guard !self.isGone, self.replacements == line else {
                return eventLoop.makeSucceededVoidFuture()
            }
            return environment.store.save(checkpoint, of: id, trimBefore: trimBefore)
                .hop(to: eventLoop)
        }.whenComplete { _ in self.isCheckpointing = false }
    }
}

extension RoomCheckpoint {
    init(of state: RoomState) {
        self.init(
            epoch: state.control.epoch, version: state.version, bytes: state.checkpoint(),
            summary: RoomSummary(state.control))
    }
}

extension RoomState {
    /// Folds what the store gave.
    init(stored: StoredRoom, id: String) throws(RoomCodecError) {
        if let checkpoint = stored.checkpoint {
            self = try RoomState(checkpoint: checkpoint[...])
        } else {
            self.init(id: id, epoch: stored.epoch)
        }
        for entry in stored.entries { fold(entry) }
    }
}

extension Decision {
    /// The answer where nothing has to be committed; nil where it waits for the commit.
    fileprivate var immediateResult: OperationResult? {
        switch self {
        case .commit: nil
        case .unchanged: .unchanged
        case .stale: .stale
        case .refused(let refusal): .refused(refusal)
        }
    }
}

extension [RoomEntry.Change] {
    fileprivate var isDeletion: Bool {
        if case .deleted? = last { true } else { false }
    }
}

extension RoomOperation {
    fileprivate var changesScene: Bool {
        switch self {
        case .edit, .upload: true
        case .join, .leave, .markAway, .expire, .claim, .rename, .delete, .sweep, .checkHost: false
        }
    }

    fileprivate var isEdit: Bool { if case .edit = self { true } else { false } }

    fileprivate var isMembership: Bool {
        switch self {
        case .join, .leave, .markAway, .expire, .claim, .rename, .sweep, .checkHost: true
        case .edit, .upload, .delete: false
        }
    }

    /// Bytes of its log entry, roughly.
    var approximateBytes: Int {
        switch self {
        case .edit(let edit, _): edit.byteCount + 128
        case .upload(let upload, _, _): upload.editorData.bytes.count + 128
        case .join, .leave, .markAway, .expire, .claim, .rename, .delete, .sweep, .checkHost: 256
        }
    }
}
