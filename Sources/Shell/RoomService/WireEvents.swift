/// Every event name of the contract with the browser client, once.
enum ClientEvent: String, CaseIterable, Sendable {
    case createRoom = "create-room"
    case joinRoom = "join-room"
    case leaveRoom = "leave-room"
    case deleteRoom = "delete-room"
    case getRooms = "get-rooms"
    case userNameChange = "user-name-change"
    case requestEditorSync = "request-editor-sync"
    case syncFullEditor = "sync-full-editor"
    case objectUpdate = "sync-editor-object-update"
    case objectRemoval = "sync-editor-object-removal"
    case materialUpdate = "sync-editor-material-update"
    case backgroundUpdate = "sync-scene-background-update"
    case fogUpdate = "sync-scene-fog-update"
    case scriptAdded = "sync-script-added"
    case scriptChanged = "sync-script-changed"
    case scriptRemoved = "sync-script-removed"
    case ping
    case userActivity = "user-activity"
    case getUserInfo = "get-user-info"
    case getUserStats = "get-user-stats"

    /// As `init(rawValue:)`, which compares with one name after the other.
    static func named(_ name: String) -> ClientEvent? { all[name] }

    private static let all = Dictionary(
        uniqueKeysWithValues: allCases.map { ($0.rawValue, $0) })
}

enum ServerEvent {
    static let roomCreated = "room-created"
    static let roomCreationFailed = "room-creation-failed"
    static let joinedRoom = "joined-room"
    static let joinRoomFailed = "join-room-failed"
    static let leftRoom = "left-room"
    static let roomDeleted = "room-deleted"
    static let deleteRoomFailed = "delete-room-failed"
    static let roomsList = "rooms-list"
    static let usersList = "users-list"
    static let userCount = "user-count"
    static let userJoined = "user-joined"
    static let userLeft = "user-left"
    static let userNameChanged = "user-name-changed"
    static let fullEditor = "receive-full-editor"
    static let objectUpdate = "receive-editor-object-update"
    static let objectRemoval = "receive-editor-object-removal"
    static let materialUpdate = "receive-editor-material-update"
    static let backgroundUpdate = "receive-scene-background-update"
    static let fogUpdate = "receive-scene-fog-update"
    static let scriptAdded = "receive-script-added"
    static let scriptChanged = "receive-script-changed"
    static let scriptRemoved = "receive-script-removed"
    static let fullEditorSuccess = "sync-full-editor-success"
    static let fullEditorError = "sync-full-editor-error"
    static let editorSyncError = "editor-sync-error"
    static let serverShutdown = "server-shutdown"
    static let pong = "pong"
    static let userInfo = "user-info"
    static let userStats = "user-stats"
}

/// Codes of refusals, for programs; the message beside them is for people.
enum ErrorCode: String, Sendable {
    case validation = "VALIDATION_ERROR"
    case missingData = "MISSING_DATA"
    case roomExists = "ROOM_EXISTS"
    case creation = "CREATION_ERROR"
    case roomNotFound = "ROOM_NOT_FOUND"
    case invalidPassword = "INVALID_PASSWORD"
    case join = "JOIN_ERROR"
    case roomFull = "ROOM_FULL"
    case rateLimited = "RATE_LIMITED"
    case notHost = "NOT_HOST"
    case delete = "DELETE_ERROR"
    case userNotInRoom = "USER_NOT_IN_ROOM"
    case tooLarge = "TOO_LARGE"
    case storageUnavailable = "STORAGE_UNAVAILABLE"
    case internalError = "INTERNAL_ERROR"
}
