import JSON
import NIOCore
import Rooms
import SocketIOServer

extension LiveRoom {
    /// The scene as JSON, made once for each version of it.
    struct SceneCache {
        let sceneVersion: Version
        let editorData: JSONText?
    }

    private var editorData: JSONText? {
        if let sceneCache, sceneCache.sceneVersion == control.sceneVersion {
            return sceneCache.editorData
        }
        let data = control.sceneVersion == 0 ? nil : state.scene.editorData()
        sceneCache = SceneCache(sceneVersion: control.sceneVersion, editorData: data)
        return data
    }

    /// Why the edit cannot be stored; nil if it can.
    func problem(with edit: SceneEdit) -> SceneError? {
        do throws(SceneError) {
            try state.scene.check(edit)
            return nil
        } catch {
            return error
        }
    }

    var hasScene: Bool { editorData != nil }

    /// Sends a member the whole scene, or as soon as it can have applied the one before (R16).
    func sendScene(to link: MemberLink, isInitial: Bool) {
        if link.isHolding { return link.wantScene() }
        sendSceneNow(to: link, isInitial: isInitial)
    }

    /// Sends the whole scene to all members here but one.
    func broadcastScene(except author: String?, mirrored: Bool) {
        guard editorData != nil else { return }
        let receivers = links.filter { $0.key != author }
        let busy = receivers.values.filter(\.isHolding)
        for link in busy { link.wantScene() }
        guard busy.count < receivers.count || mirrored else { return }
        let event = prepareScene(isInitial: false)
        if mirrored { mirror(event, except: author.map { [$0] } ?? []) }
        guard busy.count < receivers.count else { return }
        broadcast(event, except: busy.map(\.socket.id) + (author.map { [$0] } ?? []), .now)
        for link in receivers.values where !link.isHolding { hold(link) }
        environment.metrics.count(\.snapshotsSent, by: receivers.count - busy.count)
    }

    private func sendSceneNow(to link: MemberLink, isInitial: Bool) {
        environment.metrics.count(\.snapshotsSent)
        link.socket.send(prepareScene(isInitial: isInitial))
        if editorData != nil { hold(link) }
    }

    /// `receive-full-editor`. Its version is new each time: higher than that of anything the
    /// client can have been sent before, in any room (R23, R25). It is that of the room, which is
    /// stored and no lower than that of his join; only a scene that is sent again goes beyond it. So
    /// whoever goes on with the room, by whatever clock, goes on above it. A room without a scene
    /// is answered in the one form that the client takes for "empty" (R26).
    private func prepareScene(isInitial: Bool) -> PreparedEvent {
        guard let editorData else {
            let empty: JSONValue = [
                "editorData": nil, "version": 0, "hostId": nil, "isInitialSync": true,
                "lastUpdate": .int(control.lastActivity),
            ]
            return prepare(ServerEvent.fullEditor, empty, at: state.version)
        }
        let version = max(state.version, lastSceneVersion + 1)
        lastSceneVersion = version
        environment.clock.observe(version)
        return prepare(
            ServerEvent.fullEditor,
            [
                "editorData": .raw(editorData), "version": .integer(version),
                "hostId": .optional(control.hostID), "isInitialSync": .bool(isInitial),
                "lastUpdate": .int(VersionClock.milliseconds(of: control.sceneVersion)),
            ], at: state.version, followsScene: true)
    }

    /// From now until the client has received the scene, and 300 ms for each started megabyte: what
    /// it may need to apply it (R17). An edit of his own that comes before was made on what he saw
    /// before the scene.
    private func hold(_ link: MemberLink) {
        let megabytes = 1 + (editorData?.bytes.count ?? 0) / 1_000_000
        let number = link.sceneWasSent(
            state.version, over: sceneBase(of: link),
            needing: .milliseconds(300 * Int64(megabytes)))
        link.socket.afterRoundTrip { [weak self, eventLoop, id = link.socket.id] in
            eventLoop.execute { [weak self] in self?.sceneArrived(number, at: id) }
        }
        link.socket.holdOffsets(socketRoom)
        setApart(link)
    }

    private func sceneArrived(_ number: Int, at memberID: String) {
        guard let link = links[memberID] else { return }
        link.sceneArrived(number, on: eventLoop, release: release(link))
    }

    private func release(_ link: MemberLink) -> @Sendable () -> Void {
        { [weak self, id = link.socket.id] in self?.releaseHold(id) }
    }

    private func releaseHold(_ memberID: String) {
        let now = environment.clock.elapsedMilliseconds
        guard let link = links[memberID], let (events, needsScene) = link.endHold(at: now) else {
            return
        }
        setApart(link)
        guard !needsScene else {
            link.socket.releaseOffsets(socketRoom)
            sendSceneNow(to: link, isInitial: false)
            for event in events { link.socket.send(event) }
            return
        }
        // Only with the last of them the client has all.
        for event in events.dropLast() { link.socket.send(event) }
        let place = offset(at: state.version)
        guard let last = events.last else {
            let count = JSONValue.integer(control.members.count)
            return link.socket.releaseOffsets(
                socketRoom,
                reminder: place == nil
                    ? nil : prepare(ServerEvent.userCount, count, at: state.version))
        }
        link.socket.releaseOffsets(socketRoom)
        link.socket.send(last.at(place))
    }

    /// The member's connection is backed up, or has drained.
    func lag(_ memberID: String, _ isLagging: Bool) {
        eventLoop.assertInEventLoop()
        guard let link = links[memberID] else { return }
        if isLagging {
            link.beginLag(at: state.version)
            link.socket.holdOffsets(socketRoom)
        } else {
            let now = environment.clock.elapsedMilliseconds
            link.endLag(at: now, on: eventLoop, release: release(link))
        }
        setApart(link)
    }

    /// The newest scene version that the member knows for certain (R22): that of a full scene which
    /// has reached him, or what was sent so long ago that an upload of his cannot have crossed it
    /// on the way. Of one who read too slowly until a moment ago nothing is certain.
    func sceneBase(of memberID: String) -> Version {
        links[memberID].map(sceneBase) ?? state.version
    }

    private func sceneBase(of link: MemberLink) -> Version {
        if let base = link.baseBeforeScene { return base }
        if link.isHolding, link.hasHeldEdits { return link.heldSince }
        let memberID = link.socket.id
        let others = control.sceneVersion(apartFrom: memberID)
        let now = environment.clock.elapsedMilliseconds
        let sinceLag = link.lagEndedAt.map { now - $0 } ?? .max
        if link.isLagging || sinceLag < Self.crossingMilliseconds {
            return min(state.version, max(others, 1) - 1)
        }
        // Not by when it was made: it may have come here much later, and been held for him.
        let sentAt = max(
            arrivals.last(apartFrom: memberID), link.heldSentAt ?? .min, link.enteredAt)
        let age = now - sentAt
        let isKnown = others <= link.sceneReceived || age >= Self.crossingMilliseconds
        return isKnown ? state.version : others - 1
    }

    /// Whether an upload of the member that came in then may have crossed edits, his own perhaps,
    /// that were sent to him late: he applies them to a scene which does not have them.
    func crossesHeldEdits(of memberID: String, _ arrivedAt: Int64) -> Bool {
        guard let sentAt = links[memberID]?.heldSentAt else { return false }
        return sentAt >= arrivedAt - Self.crossingMilliseconds
    }

    /// Longer than an edit takes to a client and the client's upload takes back.
    static let crossingMilliseconds: Int64 = 1_500
}
