import JSON
import Rooms
import SocketIOServer

extension MemberSession {
    /// `request-editor-sync`: the whole scene to the asker.
    func sendScene(_ request: Request) {
        guard let roomID = request.roomID else {
            return refuse(request, RequestProblem(code: .missingData, field: .missing("roomId")))
        }
        guard let room, room.id == roomID else { return refuse(request, .userNotInRoom) }
        let memberID = socket.id
        let socketLoop = socket.eventLoop
        room.eventLoop.execute {
            guard !room.isGone, let link = room.links[memberID] else {
                socketLoop.execute { self.refuse(request, .userNotInRoom) }
                return
            }
            room.sendScene(to: link, isInitial: true)
            request.succeed(version: room.state.version)
        }
    }

    /// `sync-full-editor`: the whole scene from a member.
    func upload(_ request: Request) {
        guard let roomID = request.payload["roomId"]?.string else {
            return refuse(request, RequestProblem(code: .missingData, field: .missing("roomId")))
        }
        guard let room, room.id == roomID else { return refuse(request, .userNotInRoom) }
        guard let editorData = request.payload["editorData"], editorData.kind == .object else {
            return refuse(
                request, RequestProblem(code: .missingData, field: .missing("editorData")))
        }
        exclusively { upload(editorData, request, room, done: $0) }
    }

    private func upload(
        _ editorData: JSONText, _ request: Request, _ room: LiveRoom,
        done: @escaping @Sendable () -> Void
    ) {
        let memberID = socket.id
        let socketLoop = socket.eventLoop
        room.eventLoop.execute {
            // As of now: what the member hears while the upload is checked he had not seen.
            let base = room.sceneBase(of: memberID)
            let arrivedAt = self.environment.clock.elapsedMilliseconds
            self.environment.heavy(editorData.bytes.count, answerOn: room.eventLoop) {
                Result { () throws(SceneError) in try SceneUpload(checking: editorData) }
            }.whenSuccess { checked in
                defer { done() }
                let upload: SceneUpload
                switch checked {
                case .success(let checked): upload = checked
                case .failure(let error):
                    return socketLoop.execute { self.refuse(request, self.sceneProblem(error)) }
                }
                room.submit(.upload(upload, by: memberID, basedOn: base)) { result in
                    let isOld = result == .stale || room.crossesHeldEdits(of: memberID, arrivedAt)
                    if isOld, let link = room.links[memberID] {
                        room.sendScene(to: link, isInitial: false)
                    }
                    let version = room.state.version
                    let offset = room.offset(at: version)
                    socketLoop.execute { self.uploaded(request, result, at: version, offset) }
                }
            }
        }
    }

    private func uploaded(
        _ request: Request, _ result: OperationResult, at version: Version, _ offset: String?
    ) {
        switch result {
        case .committed(let committed): confirm(request, version: committed, offset)
        case .unchanged, .stale: confirm(request, version: version, offset)
        default: refuse(request, result)
        }
    }

    private func confirm(_ request: Request, version: Version, _ offset: String?) {
        let payload: JSONValue = [
            "version": .integer(version), "timestamp": .int(environment.clock.nowMilliseconds),
            "message": .string(environment.messages.fullEditorStored),
        ]
        socket.send(
            PreparedEvent(
                ServerEvent.fullEditorSuccess, [payload], namespace: socket.namespace.name,
                offset: offset))
        request.succeed(version: version)
    }

    /// An edit of part of the scene.
    func edit(_ request: Request) {
        guard let roomID = request.payload["roomId"]?.string else {
            return refuse(request, RequestProblem(code: .missingData, field: .missing("roomId")))
        }
        guard let room, room.id == roomID else { return refuse(request, .userNotInRoom) }
        do throws(RequestProblem) {
            guard let edit = try EditEvents.parse(request.event, request.payload) else { return }
            submit(edit, request, room)
        } catch {
            refuse(request, error)
        }
    }

    private func submit(_ edit: SceneEdit, _ request: Request, _ room: LiveRoom) {
        let memberID = socket.id
        let socketLoop = socket.eventLoop
        room.eventLoop.execute {
            if let problem = room.problem(with: edit) {
                socketLoop.execute { self.refuse(request, self.sceneProblem(problem)) }
                return
            }
            room.submit(.edit(edit, by: memberID)) { result in
                if case .committed(let version) = result {
                    return request.succeed(version: version)
                }
                socketLoop.execute { self.refuse(request, result) }
            }
        }
    }

    private func sceneProblem(_ error: SceneError) -> RequestProblem {
        switch error {
        case .malformed(let part):
            RequestProblem(code: .missingData, field: .missing(part))
        case .tooLarge, .tooManyObjects, .tooDeep:
            RequestProblem(code: .tooLarge, field: .editor(error.description))
        case .corruptCheckpoint:
            RequestProblem(code: .internalError, field: .editor(error.description))
        }
    }
}
