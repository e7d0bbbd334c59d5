import JSON
import Rooms
import SocketIOServer

/// One event of a client, and the ways to answer it.
struct Request: Sendable {
    let event: ClientEvent
    /// The first argument; null where there is none.
    let payload: JSONText
    let acknowledge: Acknowledgement?

    init(_ event: ClientEvent, _ socketEvent: SocketEvent) {
        self.event = event
        payload = socketEvent.arguments.first ?? .null
        acknowledge = socketEvent.acknowledge
    }

    /// The room that the request names: member `roomId`, or the payload itself where it is a bare
    /// string.
    var roomID: String? { payload["roomId"]?.string ?? payload.string }

    /// `{ok: true, …}` to the ack callback, if there is one.
    func succeed(version: Version? = nil) {
        guard let acknowledge else { return }
        var answer = JSONMembers([("ok", true)])
        if let version { answer.append("version", .integer(version)) }
        acknowledge(.object(answer))
    }

    /// `{ok: false, error: {code, message}}` to the ack callback, if there is one.
    func fail(_ code: ErrorCode, _ message: String) {
        acknowledge?([
            "ok": false, "error": ["code": .string(code.rawValue), "message": .string(message)],
        ])
    }
}

extension ClientEvent {
    /// The event that tells a client that this one failed.
    var failureEvent: String {
        switch self {
        case .createRoom: ServerEvent.roomCreationFailed
        case .joinRoom: ServerEvent.joinRoomFailed
        case .leaveRoom: ServerEvent.leftRoom
        case .deleteRoom: ServerEvent.deleteRoomFailed
        case .syncFullEditor: ServerEvent.fullEditorError
        default: ServerEvent.editorSyncError
        }
    }

    /// The code for a payload of the wrong shape: `MISSING_DATA` in the sync family.
    var malformedCode: ErrorCode {
        switch self {
        case .createRoom, .joinRoom, .leaveRoom, .deleteRoom, .userNameChange: .validation
        default: .missingData
        }
    }
}
